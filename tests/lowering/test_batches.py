"""A batch gives every prompt what it gets alone: left padding, other lengths, several images, none."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import IMAGE, LAST, TOKENS, Prompt, batch, call, mix, program, prompt, ratio, step, tiny_llava

from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile

MIXED = [
    prompt([3, 0, 5], 0),
    prompt([2, 0, 14], 1),
    prompt([40], 2),
    prompt([1, 0, 2, 0, 3], 3),
    prompt([2], 4),
    prompt([1, 0, 0, 0, 6], 5),
]
UNIFORM = [prompt([3, 0, 5], 0), prompt([2, 0, 14], 1), prompt([1, 0, 2], 2)]
NORM = call("norm")
WANTED: Any = {"max_new_tokens": 4, "do_sample": False, "output_logits": True, "return_dict_in_generate": True}

SPECS = [
    step(2, ratio("1/2"), LAST),
    step(0, ratio("1/4"), NORM),
    step([1, 3], [ratio("1/2"), ratio("1/8")], via=mix(merge=0.5, prune=0.5), bias=0.7),
    step([0, 4], ratio("1/8"), call("attention", query="text", layer="next"), call("merge"), gradual=True),
    step(2, ratio("1/4"), call("attention", query="all"), positions="compact"),
    step(2, ratio("1/4"), call("attention", query="text"), call("merge"), positions="mean", order="score"),
    step(3, ratio("1/4"), LAST, call("merge", similarity=call("cosine", of="keys"))),
]


def logits(model: Any, p: Prompt, **more: Any) -> torch.Tensor:
    """[B, steps, V]"""
    return torch.stack(model.generate(**p.inputs(), **WANTED, **more).logits, dim=1)


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("prompts", [MIXED, UNIFORM], ids=["mixed", "uniform"])
def test_batch_equals_singles_through_generate(spec: Step, prompts: list[Prompt]) -> None:
    model = tiny_llava(kv_heads=2)
    with compile(program(spec), model) as compiled:
        together = logits(compiled, batch(prompts))
        for row, one in enumerate(prompts):
            alone = logits(compiled, one)
            torch.testing.assert_close(together[row], alone[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_implementations_agree(attention: str) -> None:
    spec = program(SPECS[2])
    other = "eager" if attention == "sdpa" else "sdpa"
    results = []
    for implementation in (attention, other):
        with compile(spec, tiny_llava(implementation, kv_heads=2)) as compiled:
            results.append(logits(compiled, batch(MIXED)))
    torch.testing.assert_close(results[0], results[1], atol=1e-4, rtol=1e-4)


def test_a_prompt_without_an_image_is_untouched() -> None:
    model = tiny_llava()
    text = prompt([12], 7)
    full = logits(model, text)
    with compile(program(SPECS[2]), model) as compiled:
        torch.testing.assert_close(logits(compiled, text), full, atol=1e-5, rtol=1e-5)
        beside = logits(compiled, batch([text, *UNIFORM]))
    torch.testing.assert_close(beside[0], full[0], atol=1e-4, rtol=1e-4)


def test_order_of_the_batch_does_not_matter() -> None:
    model = tiny_llava()
    with compile(program(SPECS[2]), model) as compiled:
        there = logits(compiled, batch(MIXED))
        back = logits(compiled, batch(MIXED[::-1]))
    torch.testing.assert_close(there, back.flip(0), atol=1e-4, rtol=1e-4)


def test_rows_are_no_longer_than_the_longest_needs() -> None:
    """A short prompt without an image does not keep the others from getting short."""
    model = tiny_llava()
    with compile(program(step(2, ratio("1/4"))), model) as compiled:
        out = compiled(**batch([prompt([3, 0, 5]), prompt([2])]).inputs())
    lengths = [layer.keys.shape[2] for layer in out.past_key_values.layers]
    assert lengths == [25, 25, 13, 13, 13]


def test_text_rows_survive_bit_for_bit() -> None:
    """On entry to a reduced layer, the rows of text are those that came, in their order."""
    model = tiny_llava()
    entered: list[torch.Tensor] = []
    layer = model.model.language_model.layers[2]
    hook = layer.register_forward_pre_hook(lambda _, args: entered.append(args[0].clone()))
    p = batch([prompt([3, 0, 5], 0), prompt([2, 0, 9], 1), prompt([1, 0, 2, 0, 3], 2), prompt([7], 3)])
    model(**p.inputs())
    with compile(program(step(2, ratio("1/4"), via=call("pool"))), model) as compiled:
        compiled(**p.inputs())
    hook.remove()
    before, after = entered
    for row in range(4):
        text = (p.attention_mask[row].bool() & (p.input_ids[row] != IMAGE)).nonzero()[:, 0]
        images = int((p.input_ids[row] == IMAGE).sum()) // TOKENS
        assert after.shape[1] == 16
        kept = after[row, 16 - len(text) - 4 * images :]
        matches = (kept[:, None] == before[row, text][None]).all(dim=2)
        assert matches.sum(dim=0).tolist() == [1] * len(text)
        found = matches.nonzero()
        assert found[:, 1].tolist() == list(range(len(text)))
