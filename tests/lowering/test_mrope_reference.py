"""Reductions inside Qwen2-VL and Qwen2.5-VL against a second implementation: ranking, merging, and positions in 3-D."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil
from typing import Any

import pytest
import torch
from eager_reference import Rows, pick
from every_family import FAMILIES
from families import END, START, VIDEO, Inputs, batch
from mrope_reference import MropeReference
from tiny_models import IMAGE
from torch import Tensor

import eosdsl

FORCED = [7, 42, 13]
families = pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
SECONDS = {"qwen2_vl": 1, "qwen2_5_vl": 2, "qwen3_vl": 1}


def steps(model: Any, inputs: Inputs) -> Tensor:
    """Logits after the prompt and after each forced token, through `generate`."""
    start = inputs["input_ids"].shape[1]

    def forced(_: int, ids: Tensor) -> list[int]:
        return [[*FORCED, 2][ids.shape[0] - start]]

    out = model.generate(
        **inputs,
        max_new_tokens=len(FORCED) + 1,
        do_sample=False,
        prefix_allowed_tokens_fn=forced,
        output_logits=True,
        return_dict_in_generate=True,
    )
    return torch.cat(out.logits)


def visual_of(rows: Rows) -> Tensor:
    return rows.visual.nonzero()[:, 0]


def fastv(rows: Rows) -> Rows:
    """FastV (arXiv 2403.06764): half of the visual rows, by the last row's attention in the layer before."""
    assert rows.attention is not None
    visual = visual_of(rows)
    kept = visual[rows.attention[:, -1, visual].mean(0).topk(ceil(len(visual) / 2)).indices]
    return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)


def compacted(rows: Rows) -> Rows:
    left = fastv(rows)
    first = int(left.positions.min())
    return replace(left, positions=(torch.arange(len(left.hidden)) + first)[:, None].expand(-1, 3))


def merged(how: Callable[[Tensor], Tensor]) -> Callable[[Rows], Rows]:
    """The half of the rows with the largest norm take in the others, each into the one most like it."""

    def site(rows: Rows) -> Rows:
        visual = visual_of(rows)
        hidden, places = rows.hidden[visual], rows.positions[visual]
        best = hidden.norm(dim=1).topk(ceil(len(visual) / 2)).indices.sort().values
        chosen = set(best.tolist())
        unit = hidden / hidden.norm(dim=1, keepdim=True)
        members = {anchor: [anchor] for anchor in best.tolist()}
        for other in range(len(visual)):
            if other not in chosen:
                members[int(best[(unit[best] @ unit[other]).argmax()])].append(other)
        new_hidden, new_places, sizes = rows.hidden.clone(), rows.positions.clone(), rows.sizes.clone()
        later = tuple(one.clone() for one in rows.later)
        for anchor, own in members.items():
            new_hidden[visual[anchor]] = hidden[own].mean(0)
            new_places[visual[anchor]] = torch.stack([how(places[own, axis]) for axis in range(3)])
            sizes[visual[anchor]] = len(own)
            for new, old in zip(later, rows.later, strict=True):
                new[visual[anchor]] = old[visual[own]].mean(0)
        left = replace(rows, hidden=new_hidden, positions=new_places, sizes=sizes, later=later)
        return pick(left, torch.cat([(~rows.visual).nonzero()[:, 0], visual[best]]).sort().values)

    return site


def dart(rows: Rows) -> Rows:
    """DART (arXiv 2502.11494): two pivots by the L1 norm of their keys, and for each the three tokens least like it."""
    assert rows.keys is not None
    visual = visual_of(rows)
    pivots = rows.keys[:, visual].transpose(0, 1).flatten(1).norm(p=1, dim=1).topk(2).indices.tolist()
    unit = torch.nn.functional.normalize(rows.hidden[visual], dim=1)
    chosen = list(pivots)
    for pivot in pivots:
        alike = unit @ unit[pivot]
        rest = [token for token in range(len(visual)) if token not in chosen]
        chosen += sorted(rest, key=lambda token: float(alike[token]))[:3]
    kept = visual[torch.tensor(chosen)]
    return pick(rows, torch.cat([(~rows.visual).nonzero()[:, 0], kept]).sort().values)


def mean(values: Tensor) -> Tensor:
    """Halves go up."""
    return torch.floor(values.double().mean() + 0.5).long()


def median(values: Tensor) -> Tensor:
    ordered = values.sort().values.double()
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2
    return torch.floor(middle + 0.5).long()


@families
@pytest.mark.parametrize("seen", ["usual", "wide", "video"])
def test_the_reference_is_the_full_model_without_sites(name: str, seen: str) -> None:
    model = FAMILIES[name].build("sdpa")
    inputs = FAMILIES[name].prompt([3, seen, 6])
    expected = MropeReference(model, {}).answer(inputs, FORCED, SECONDS[name])
    torch.testing.assert_close(steps(model, inputs), expected, atol=1e-4, rtol=1e-4)


@families
@pytest.mark.parametrize(("attention", "seen"), [("sdpa", "video"), ("eager", "wide")])
@pytest.mark.parametrize(
    ("spec", "site", "compact"),
    [
        ("at layer 2: retain 50% by attention(query: last)", fastv, 99),
        ("at layer 2: retain 50% by attention(query: last) with positions: compact", compacted, 2),
        ("at layer 2: retain 50% by norm(hidden) via merge with positions: mean", merged(mean), 99),
        ("at layer 2: retain 50% by norm(hidden) via merge with positions: median", merged(median), 99),
        ("at layer 2: retain 50% by norm(hidden) via merge", None, 99),
        ("at layer 2: retain 8 tokens by norm(keys, p: 1) pick repel(pivots: 2) via prune", dart, 99),
        ("at input: retain 50% by norm(hidden) via merge with positions: mean", merged(mean), 99),
        ("at layer 1: retain 50% by norm(hidden) via merge", None, 99),
    ],
    ids=["fastv", "compact", "mean", "median", "keep", "dart", "input", "early"],
)
def test_logits_equal_those_of_the_reference(
    name: str, attention: str, seen: str, spec: str, site: Callable[[Rows], Rows] | None, compact: int
) -> None:
    model = FAMILIES[name].build(attention)
    inputs = FAMILIES[name].prompt([3, seen, 6])
    layer = 0 if "input" in spec else 1 if "layer 1" in spec else 2
    keeps = merged(lambda values: values[0])  # the anchor comes first among the members
    expected = MropeReference(model, {layer: site or keeps}, compact=compact).answer(inputs, FORCED, SECONDS[name])
    with eosdsl.compile(spec, model) as compiled:
        found = steps(compiled, inputs)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)
    if site is not None:
        assert (steps(model, inputs) - expected).abs().max() > 0.01


@families
@pytest.mark.parametrize("spec", ["at layer 2: retain 25% via merge", "at layer 2: retain 50% with positions: compact"])
def test_a_static_cache_gives_the_same(name: str, spec: str) -> None:
    """Images and a video of other sizes in one batch, positions on three axes, layers of other lengths."""
    family = FAMILIES[name]
    inputs = batch([family.prompt([3, "wide", 5], 1), family.prompt([1, "video", 2, "usual", 9], 2)])
    wanted: dict[str, Any] = {
        "max_new_tokens": 3,
        "do_sample": False,
        "output_logits": True,
        "return_dict_in_generate": True,
        "suppress_tokens": [START, END, VIDEO, IMAGE],
    }
    with eosdsl.compile(spec, family.build("sdpa")) as compiled:
        expected = torch.stack(compiled.generate(**inputs, **wanted).logits)
        static = compiled.generate(**inputs, **wanted, cache_implementation="static", disable_compile=True)
    torch.testing.assert_close(torch.stack(static.logits), expected, atol=1e-4, rtol=1e-4)
