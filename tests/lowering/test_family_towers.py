"""Reductions in the vision tower of families other than LLaVA: where features pass as they are they run, elsewhere the
reason is said. Towers whose patches are joined are in `test_joined_towers.py`, those whose tiles are packed in
`test_packed_towers.py`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import Inputs, batch
from joined_towers import JOINED, PACKED
from test_tower import VISIONZIP, cosine, visionzip
from tiny_models import IMAGE
from torch import Tensor
from tower_reference import Patches, attend, merged

import eosdsl
from eosdsl.diagnostics import SpecError

REDUCED = ("paligemma", "paligemma2", "vipllava")
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


def features_side_by_side(output: bool) -> Tensor:
    """ViP-LLaVA in plain loops: projected features [K, D] of what stands behind 3, 0 and 2 layers, side by side."""
    model, pixels = model_of("vipllava"), prompts("vipllava")[0]["pixel_values"]
    vision = model.model.vision_tower
    hidden = vision.pre_layrnorm(vision.embeddings(pixels))[0]
    rows = Patches(hidden, torch.ones(17), [-1, *range(16)])
    read = {0: rows}
    for index, layer in enumerate(vision.encoder.layers[:3]):
        if index == 1 and not output:
            kept, into = half_by_norm(rows)
            read = {at: merged(then, kept, into) for at, then in read.items()}
            rows = merged(rows, kept, into)
        rows = attend(layer, rows, 0.0)
        rows = replace(rows, hidden=rows.hidden + layer.mlp(layer.layer_norm2(rows.hidden)))
        read[index + 1] = rows
    beside = replace(rows, hidden=torch.cat([read[at].hidden for at in (3, 0, 2)], dim=1))
    left = visionzip(beside) if output else beside
    return model.model.multi_modal_projector(left.hidden[1:])


def half_by_norm(rows: Patches) -> tuple[list[int], dict[int, int]]:
    """The eight patches of the largest norm, and into which of them each other one goes by cosine of hidden rows."""
    kept = sorted(sorted(rows.free, key=lambda row: -float(rows.hidden[row].norm()))[:8])
    others = [row for row in rows.free if row not in kept]
    return [0, *kept], {row: kept[int(cosine(rows.hidden[kept], rows.hidden[row][None]).argmax())] for row in others}


@pytest.mark.parametrize("output", [False, True], ids=["inside", "output"])
def test_features_of_several_layers_are_those_of_the_same_patches(output: bool) -> None:
    spec = VISIONZIP if output else "at encoder layer 1: retain 50% by norm(hidden) via merge(weight: size)"
    model, pixels = model_of("vipllava"), prompts("vipllava")[0]["pixel_values"]
    with eosdsl.compile(spec, model):
        found = model.get_image_features(pixel_values=pixels).pooler_output[0]
        found = found[found.abs().sum(dim=1) > 0]
    torch.testing.assert_close(found, features_side_by_side(output), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in (*REDUCED, *JOINED, *PACKED, "llava")])
def test_elsewhere_the_reason_is_said(name: str) -> None:
    model = model_of(name)
    with pytest.raises(SpecError) as caught:
        eosdsl.compile("at encoder output: retain 50% by norm(hidden)", model)
    found = caught.value.diagnostics[0]
    assert found.code == "E0436"
    assert found.message.endswith(eosdsl.compile("at layer 2: retain 50%", model).schedule.model.tower_refused)
