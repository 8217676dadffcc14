"""Retaining everything changes nothing, and detaching leaves nothing behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tiny_models import LAYERS, batch, call, mix, program, prompt, ratio, step, tiny_llava, tokens

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Step
from eosdsl.lowering.compile import compile

PROMPTS = batch([prompt([3, 0, 5]), prompt([2, 0, 9], 1), prompt([11], 2), prompt([1, 0, 2, 0, 3], 3)])


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize(
    "identity",
    [
        step(2, ratio(1)),
        step(0, ratio(1), call("norm")),
        step([1, 4], ratio(1), gradual=True),
        step([1, 3], [ratio(1), ratio(1)], via=mix(merge=0.5, prune=0.5)),
    ],
)
def test_retaining_all_is_the_model_bit_for_bit(attention: str, identity: Step) -> None:
    model = tiny_llava(attention)
    for inputs in (PROMPTS.inputs(), prompt([3, 0, 5]).inputs(), prompt([7]).inputs()):
        for more in ({}, {"use_cache": False}):
            full = model(**inputs, **more).logits
            with compile(program(identity), model) as compiled:
                assert torch.equal(compiled(**inputs, **more).logits, full)


def test_retaining_all_inserts_nothing() -> None:
    compiled = compile(program(step([1, 3], ratio(1), gradual=True)), tiny_llava())
    operations = [node.op for node in compiled.graph.graph.nodes]
    assert operations.count("call_module") == LAYERS + 1
    assert "call_function" not in operations


def test_retaining_all_generates_the_same_bit_for_bit() -> None:
    model = tiny_llava()
    wanted: Any = {"max_new_tokens": 5, "output_logits": True, "return_dict_in_generate": True}
    full = model.generate(**PROMPTS.inputs(), **wanted)
    with compile(program(step(2, ratio(1))), model) as compiled:
        same = compiled.generate(**PROMPTS.inputs(), **wanted)
    assert torch.equal(full.sequences, same.sequences)
    assert all(torch.equal(a, b) for a, b in zip(full.logits, same.logits, strict=True))


def test_more_tokens_than_there_are_keeps_them_all() -> None:
    """The reducer is there (other images may be larger) and finds nothing to do."""
    model = tiny_llava()
    full = model(**PROMPTS.inputs())
    with compile(program(step(2, tokens(64))), model) as compiled:
        out = compiled(**PROMPTS.inputs())
    torch.testing.assert_close(out.logits, full.logits, atol=1e-5, rtol=1e-5)
    assert [layer.keys.shape[2] for layer in out.past_key_values.layers] == [PROMPTS.input_ids.shape[1]] * LAYERS


def state_of(model: Any) -> dict[str, Any]:
    """Every attribute and hook of every module, by name."""
    names = {}
    for name, module in model.named_modules():
        hooks = {k: len(v) for k, v in vars(module).items() if "hooks" in k and hasattr(v, "__len__")}
        names[name] = (sorted(vars(module)), hooks, sorted(vars(getattr(module, "config", module))))
    return names


@pytest.mark.parametrize("way", ["detach", "context", "error"])
def test_detaching_restores_the_model_bit_for_bit(way: str) -> None:
    model = tiny_llava()
    inputs = PROMPTS.inputs()
    full = model(**inputs).logits  # the first call installs transformers' own hooks
    before, weights = state_of(model), {k: v.clone() for k, v in model.state_dict().items()}
    compiled = compile(program(step([0, 3], [ratio("1/2"), ratio("1/4")], call("norm"), bias=1.0)), model)
    compiled.generate(**inputs, max_new_tokens=3)
    assert compiled(**inputs).logits.shape != full.shape
    if way == "detach":
        assert compiled.detach() is model
    elif way == "context":
        with compiled:
            pass
    else:
        with pytest.raises(ZeroDivisionError), compiled:
            raise ZeroDivisionError
    assert torch.equal(model(**inputs).logits, full)
    assert all(torch.equal(v, weights[k]) for k, v in model.state_dict().items())
    assert state_of(model) == before
    compiled.detach()


def test_a_detached_operator_does_not_run_the_full_model_in_silence() -> None:
    compiled = compile(program(step(2, ratio("1/2"))), tiny_llava())
    compiled.detach()
    for use in (lambda: compiled(**PROMPTS.inputs()), lambda: compiled.generate(**PROMPTS.inputs())):
        with pytest.raises(SpecError) as caught:
            use()
        assert caught.value.diagnostics[0].code == "E0444"
    short = compiled.attach()(**PROMPTS.inputs()).logits
    assert short.shape[1] < PROMPTS.input_ids.shape[1]


def test_a_second_operator_is_refused_and_the_first_stays() -> None:
    model = tiny_llava()
    first = compile(program(step(2, ratio("1/2"))), model)
    kept = first(**PROMPTS.inputs()).logits
    with pytest.raises(SpecError) as caught:
        compile(program(step(1, ratio("1/4"))), model)
    assert caught.value.diagnostics[0].code == "E0430"
    assert torch.equal(model(**PROMPTS.inputs()).logits, kept)


def test_compiled_is_the_model_to_whoever_asks() -> None:
    model = tiny_llava()
    compiled = compile(program(step(2, ratio("1/2"))), model)
    assert compiled.config is model.config
    assert compiled.model is model
    assert compiled.device == model.device
    with pytest.raises(AttributeError):
        compiled.no_such_thing  # noqa: B018
