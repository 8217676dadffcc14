"""generate in all its ways: with and without a cache, beams, samples, half precision, a second turn."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
import torch
import transformers
from eager_reference import Reference, Rows
from test_batches import MIXED, SPECS, UNIFORM, logits
from test_fastv_reference import fastv
from tiny_models import IMAGE, LAST, TOKENS, Prompt, batch, call, mix, program, prompt, ratio, step, tiny_llava

from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_cached_equals_uncached(spec: Step, attention: str) -> None:
    """Without a cache every step sees the whole sequence again, and must ask the prompt's last row, not the newest."""
    with compile(program(spec), tiny_llava(attention, kv_heads=2)) as compiled:
        for p in (MIXED[0], batch(UNIFORM), batch(MIXED)):
            cached, uncached = logits(compiled, p), logits(compiled, p, use_cache=False)
            torch.testing.assert_close(cached, uncached, atol=1e-4, rtol=1e-4)


def test_the_newest_row_would_choose_otherwise() -> None:
    """A loop of plain forwards knows no prompt: it ranks from its last row, and differs from generation somewhere."""
    model = tiny_llava()
    differs = False
    with compile(program(step(2, ratio("1/8"), LAST)), model) as compiled:
        for seed in range(4):
            p = prompt([3, 0, 5], seed)
            out = compiled.generate(**p.inputs(), max_new_tokens=4, output_logits=True, return_dict_in_generate=True)
            ids = out.sequences[:, :-1]
            again = compiled(
                **{**p.inputs(), "input_ids": ids, "attention_mask": torch.ones_like(ids)}, use_cache=False
            )
            differs |= not torch.allclose(again.logits[:, -1], out.logits[-1], atol=1e-4)
    assert differs


def test_beams_equal_the_best_of_an_exhaustive_search() -> None:
    """Two beams over three tokens, recomputed from single forwards of the compiled model."""
    model = tiny_llava()
    p = prompt([3, 0, 5], 1)
    with compile(program(SPECS[2]), model) as compiled:
        out = compiled.generate(
            **p.inputs(), num_beams=2, max_new_tokens=3, return_dict_in_generate=True, output_scores=True
        )
        beams: list[tuple[float, list[int]]] = [(0.0, [])]
        for _ in range(3):
            grown = []
            for score, tokens in beams:
                row = compiled_logits(compiled, p, tokens).log_softmax(dim=-1)
                best = row.topk(3)
                grown += [(score + float(v), [*tokens, int(i)]) for v, i in zip(best.values, best.indices, strict=True)]
            beams = sorted(grown, reverse=True)[:2]
    assert out.sequences[0, -3:].tolist() == beams[0][1]
    assert abs(float(out.sequences_scores[0]) - beams[0][0] / 3) < 1e-4


def compiled_logits(compiled: Any, p: Prompt, forced: list[int]) -> torch.Tensor:
    """Logits after a prompt and forced tokens, decoding token by token."""
    out = compiled(**p.inputs())
    for token in forced:
        out = compiled(input_ids=torch.tensor([[token]]), past_key_values=out.past_key_values)
    return out.logits[0, -1]


@pytest.mark.parametrize("prompts", [UNIFORM, MIXED], ids=["uniform", "mixed"])
def test_beams_of_a_batch_equal_beams_of_each(prompts: list[Prompt]) -> None:
    model = tiny_llava()
    wanted: Any = {"num_beams": 3, "num_return_sequences": 2, "max_new_tokens": 4, "do_sample": False}
    with compile(program(SPECS[2]), model) as compiled:
        together = compiled.generate(**batch(prompts).inputs(), **wanted)[:, -4:]
        alone = torch.cat([compiled.generate(**p.inputs(), **wanted)[:, -4:] for p in prompts])
    assert torch.equal(together, alone)


def test_several_samples_of_a_prompt_are_right() -> None:
    """Each sampled sequence has the logits that its own tokens give."""
    if transformers.__version__.startswith("5.18."):
        pytest.skip("transformers 5.18 itself mixes up images there, with or without an operator")
    model = tiny_llava()
    p = batch([prompt([3, 0, 5], 1), prompt([1, 0, 0, 4], 2)])
    torch.manual_seed(0)
    wanted: Any = {"do_sample": True, "num_return_sequences": 2, "max_new_tokens": 3, "output_logits": True}
    with compile(program(SPECS[2]), model) as compiled:
        out = compiled.generate(**p.inputs(), **wanted, return_dict_in_generate=True)
        found = torch.stack(out.logits, dim=1)
        for row in range(4):
            one = [prompt([3, 0, 5], 1), prompt([1, 0, 0, 4], 2)][row // 2]
            for at in range(3):
                expected = compiled_logits(compiled, one, out.sequences[row, -3:][:at].tolist())
                torch.testing.assert_close(found[row, at], expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("spec", SPECS[:4])
def test_half_precision(attention: str, spec: Step) -> None:
    """bf16 stays bf16 and follows float32: logits point the same way, as near as a token chosen otherwise allows."""
    p = batch(MIXED)
    assert p.pixel_values is not None
    halved = {**p.inputs(), "pixel_values": p.pixel_values.bfloat16()}
    with compile(program(spec), tiny_llava(attention)) as compiled:
        exact = compiled(**p.inputs()).logits[:, -1]
    with compile(program(spec), tiny_llava(attention, dtype=torch.bfloat16)) as compiled:
        out = compiled(**halved)
        grown = compiled.generate(**halved, max_new_tokens=2)
    assert out.logits.dtype is torch.bfloat16
    assert all(layer.keys.dtype is torch.bfloat16 for layer in out.past_key_values.layers)
    assert torch.nn.functional.cosine_similarity(out.logits[:, -1].float(), exact, dim=1).min() > 0.95
    assert grown.shape[1] == p.input_ids.shape[1] + 2


@pytest.mark.parametrize("layer", [0, 2])
@pytest.mark.parametrize("way", ["whole", "new"])
@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_a_second_turn_on_a_kept_cache(layer: int, way: str, attention: str) -> None:
    """The question goes on where the first answer ended: the cache is short, positions are as if it were not."""
    model = tiny_llava(attention)
    by = call("attention", query="last", layer="next")
    first, second = prompt([4, 0, 6], 3), [23, 5, 61, 9]
    with compile(program(step(layer, ratio("1/4"), by)), model) as compiled:
        wanted: Any = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}
        turn = compiled.generate(**first.inputs(), **wanted)
        whole = torch.cat([turn.sequences, torch.tensor([second])], dim=1)
        held = turn.past_key_values.get_seq_length()
        assert held == turn.sequences.shape[1] - 1
        ids = whole if way == "whole" else whole[:, held:]
        again = compiled.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(whole),
            past_key_values=turn.past_key_values,
            **wanted,
            output_logits=True,
        )
    forced = [*turn.sequences[0, first.input_ids.shape[1] :].tolist(), *second, *again.sequences[0, -3:-1].tolist()]
    sites = {layer: fastv_ahead}
    expected = Reference(model, sites).logits(first, forced)
    torch.testing.assert_close(torch.cat(again.logits), expected[-3:], atol=1e-4, rtol=1e-4)


def fastv_ahead(rows: Rows) -> Rows:
    return fastv(replace(rows, attention=rows.ahead), Fraction(1, 4))


def test_a_second_turn_of_a_ragged_batch() -> None:
    """Keep-masks live in the cache: the second turn of a padded batch is what each gets alone."""
    model = tiny_llava()
    question = torch.tensor([[23, 5, 61, 9]])
    wanted: Any = {"max_new_tokens": 3, "do_sample": False, "return_dict_in_generate": True}

    def talk(compiled: Any, p: Prompt) -> torch.Tensor:
        turn = compiled.generate(**p.inputs(), **wanted)
        count = len(turn.sequences)
        ids = torch.cat([turn.sequences, question.expand(count, -1)], dim=1)
        grown = ids.shape[1] - p.attention_mask.shape[1]
        mask = torch.cat([p.attention_mask, torch.ones(count, grown, dtype=torch.long)], dim=1)
        again = compiled.generate(
            input_ids=ids, attention_mask=mask, past_key_values=turn.past_key_values, **wanted, output_logits=True
        )
        return torch.stack(again.logits, dim=1)

    with compile(program(SPECS[2]), model) as compiled:
        together = talk(compiled, batch(MIXED))
        for row, one in enumerate(MIXED):
            torch.testing.assert_close(together[row], talk(compiled, one)[0], atol=1e-4, rtol=1e-4)


def test_a_second_image_on_a_kept_cache() -> None:
    """A turn that brings an image is reduced by what it asks; the first image stays as it was left."""
    model = tiny_llava()
    first, second = prompt([4, 0, 6], 3), prompt([2, 0, 5], 4)
    spec = step(2, ratio("1/4"), LAST, via=mix(merge=0.5, prune=0.5), bias=0.5)
    with compile(program(spec), model) as compiled:
        cache = compiled(**first.inputs()).past_key_values
        mask = torch.ones(1, first.input_ids.shape[1] + second.input_ids.shape[1], dtype=torch.long)
        out = compiled(**{**second.inputs(), "attention_mask": mask}, past_key_values=cache)
        lengths = [layer.keys.shape[2] for layer in cache.layers]
        total = mask.shape[1]
        assert lengths == [total, total, total - 24, total - 24, total - 24]
        assert cache.get_seq_length(4) == cache.get_seq_length(0) == total
        ids = torch.cat([first.input_ids, second.input_ids], dim=1)
        pixels = torch.cat([p.pixel_values for p in (first, second) if p.pixel_values is not None])
        full = compiled(**Prompt(ids, torch.ones_like(ids), pixels).inputs())
    assert int((ids == IMAGE).sum()) == 2 * TOKENS
    # the first image is ranked by other rows when both come at once, so only shapes and finiteness can agree
    assert out.logits.isfinite().all()
    assert full.logits.shape[1] == total - 24


def test_a_second_image_equals_one_go_where_no_question_is_read() -> None:
    """With a score that reads no text, two turns and one prompt with both images must agree to the last digit or so."""
    model = tiny_llava()
    first, second = prompt([4, 0, 6], 3), prompt([2, 0, 5], 4)
    spec = step([1, 3], [ratio("1/2"), ratio("1/4")], call("norm"), via=call("merge"), bias=0.5)
    with compile(program(spec), model) as compiled:
        cache = compiled(**first.inputs()).past_key_values
        mask = torch.ones(1, first.input_ids.shape[1] + second.input_ids.shape[1], dtype=torch.long)
        turns = compiled(**{**second.inputs(), "attention_mask": mask}, past_key_values=cache).logits[0, -1]
        ids = torch.cat([first.input_ids, second.input_ids], dim=1)
        pixels = torch.cat([p.pixel_values for p in (first, second) if p.pixel_values is not None])
        once = compiled(**Prompt(ids, torch.ones_like(ids), pixels).inputs()).logits[0, -1]
    torch.testing.assert_close(turns, once, atol=1e-4, rtol=1e-4)
