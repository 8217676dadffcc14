"""Reductions in the vision tower of families other than LLaVA: where features pass as they are they run, elsewhere the
reason is said.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import Inputs, batch
from tiny_models import IMAGE
from torch import Tensor

import eosdsl
from eosdsl.diagnostics import SpecError

REDUCED = ("paligemma", "paligemma2")
SPECS = {
    "output": "at encoder output: retain 25% by norm(hidden) via merge",
    "inside": "at encoder layer 1: retain 40% by norm(hidden) via mix(merge, prune)",
    "between": "at encoder layers 0..1 after attention: remove 5 tokens pick bipartite(on: keys) via merge\n"
    "at layer 2: retain 3 tokens",
}
WANTED: dict[str, Any] = {
    "suppress_tokens": [IMAGE],
    "max_new_tokens": 3,
    "do_sample": False,
    "output_logits": True,
    "return_dict_in_generate": True,
}
each_spec = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS.keys())
each_family = pytest.mark.parametrize("name", REDUCED)


@cache
def model_of(name: str) -> Any:
    return FAMILIES[name].build(FAMILIES[name].attentions[0])


def prompts(name: str) -> list[Inputs]:
    family = FAMILIES[name]
    parts = ([3, "usual", 5], [1, "usual", "usual", 2, "usual", 9], [7])
    return [family.prompt(one, number) for number, one in enumerate(parts)]


def logits(model: Any, inputs: Inputs, **more: Any) -> Tensor:
    return torch.stack(model.generate(**inputs, **{**WANTED, **more}).logits, dim=1)


@each_family
@each_spec
def test_batch_equals_singles_and_cached_equals_uncached(name: str, spec: str) -> None:
    together = batch(prompts(name))
    with eosdsl.compile(spec, model_of(name)) as compiled:
        out = logits(compiled, together)
        torch.testing.assert_close(out, logits(compiled, together, use_cache=False), atol=2e-4, rtol=2e-4)
        for row, one in enumerate(prompts(name)):
            torch.testing.assert_close(out[row], logits(compiled, one)[0], atol=2e-4, rtol=2e-4)


@each_family
@each_spec
def test_counts_are_those_of_the_plan(name: str, spec: str) -> None:
    inputs = prompts(name)[0]
    text = inputs["input_ids"].shape[1] - 16
    with eosdsl.compile(spec, model_of(name)) as compiled:
        layers = compiled(**inputs).past_key_values.layers
        assert tuple(layer.keys.shape[2] - text for layer in layers) == compiled.plan.tokens_per_layer


@each_family
def test_a_budget_beyond_what_there_is_changes_nothing(name: str) -> None:
    """Features pass the last norm where they did, and the projector."""
    model, together = model_of(name), batch(prompts(name))
    full = model(**together).logits
    with eosdsl.compile("at encoder layers 0, 1: retain 60 tokens by norm(hidden)", model) as compiled:
        torch.testing.assert_close(compiled(**together).logits, full, atol=1e-5, rtol=1e-5)
    assert torch.equal(model(**together).logits, full)


@each_family
def test_pruning_at_the_output_is_pruning_at_the_input(name: str) -> None:
    """By features that are the same: what the projector never sees is what the decoder never sees."""
    model, inputs = model_of(name), prompts(name)[1]
    with eosdsl.compile("at encoder output: retain 6 tokens by random(seed: 5) via prune", model) as compiled:
        early = compiled(**inputs).logits
    with eosdsl.compile("at input: retain 6 tokens by random(seed: 5) via prune", model) as compiled:
        torch.testing.assert_close(compiled(**inputs).logits, early, atol=1e-4, rtol=1e-4)


@each_family
def test_beams_carry_what_was_reduced(name: str) -> None:
    asked: dict[str, Any] = {"max_new_tokens": 3, "num_beams": 2, "do_sample": False, "suppress_tokens": [IMAGE]}
    together = batch(prompts(name))
    with eosdsl.compile(SPECS["output"], model_of(name)) as compiled:
        cached = compiled.generate(**together, **asked)
        assert torch.equal(cached, compiled.generate(**together, **asked, use_cache=False))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in (*REDUCED, "llava") and "qwen" not in name])
def test_elsewhere_the_reason_is_said(name: str) -> None:
    model = model_of(name)
    with pytest.raises(SpecError) as caught:
        eosdsl.compile("at encoder output: retain 50% by norm(hidden)", model)
    found = caught.value.diagnostics[0]
    assert found.code == "E0436"
    assert found.message.endswith(eosdsl.compile("at layer 2: retain 50%", model).schedule.model.tower_refused)
