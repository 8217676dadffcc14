"""Merging, pooling, mixing, positions and attention bias inside the decoder, against loops written from the language's
definition: y_i = (m_i x_i + Σ_j A_ij m_j x_j) / (m_i + Σ_j A_ij m_j), A = α softmax_i(similarity / τ)."""

from __future__ import annotations

from dataclasses import replace
from math import ceil, floor
from statistics import median
from typing import Any

import pytest
import torch
from eager_reference import Reference, Rows
from test_fastv_reference import FORCED, steps
from tiny_models import TOKENS, call, mix, program, prompt, ratio, step, tiny_llava
from torch import Tensor

from eosdsl.lowering.compile import compile


def absorb(rows: Rows, keep: int, shares: dict[str, float], positions: str = "keep", features: str = "hidden") -> Rows:
    """Anchors by attention of the last row; every other token is taken in by them as the shares say."""
    assert rows.attention is not None
    visual = rows.visual.nonzero()[:, 0]
    importance = rows.attention[:, -1, visual].mean(dim=0)
    anchors = visual[importance.topk(keep).indices].sort().values
    others = [j for j in visual.tolist() if j not in anchors.tolist()]
    space = rows.hidden if features == "hidden" else _keys(rows)
    hidden, sizes, places = rows.hidden.clone(), rows.sizes.clone(), rows.positions.clone()
    members: dict[int, list[int]] = {int(i): [int(rows.positions[i])] for i in anchors}
    total = {int(i): rows.sizes[i] * rows.hidden[i] for i in anchors}
    for j in others:
        weights = _column(space[anchors], space[j], shares)
        for i, weight in zip(anchors.tolist(), weights.tolist(), strict=True):
            total[i] = total[i] + weight * rows.sizes[j] * rows.hidden[j]
            sizes[i] = sizes[i] + weight * rows.sizes[j]
            members[i] += [int(rows.positions[j])] if weight > 0 else []
    for i in anchors.tolist():
        hidden[i] = total[i] / sizes[i]
        if positions == "mean":
            places[i] = floor(sum(members[i]) / len(members[i]) + 0.5)
        if positions == "median":
            places[i] = floor(median(members[i]) + 0.5)
    left = torch.cat([(~rows.visual).nonzero()[:, 0], anchors]).sort().values
    places = torch.arange(len(left)) if positions == "compact" else places[left]
    return replace(rows, hidden=hidden[left], positions=places, visual=rows.visual[left], sizes=sizes[left])


def _keys(rows: Rows) -> Tensor:
    assert rows.keys is not None
    return rows.keys.transpose(0, 1).flatten(1)


def _column(anchors: Tensor, token: Tensor, shares: dict[str, float]) -> Tensor:
    """The weights with which anchors take in one token."""
    similarity = torch.nn.functional.cosine_similarity(anchors, token[None], dim=1)
    kinds = {
        "prune": torch.zeros(len(anchors)),
        "merge": torch.nn.functional.one_hot(similarity.argmax(), len(anchors)).float(),
        "pool": torch.full((len(anchors),), 1 / len(anchors)),
        "reweight": (similarity / 0.2).softmax(dim=0),
    }
    return sum((share * kinds[kind] for kind, share in shares.items()), start=torch.zeros(len(anchors)))


def agree(model: Any, spec: Any, reference: Reference, seed: int) -> None:
    p = prompt([5, 0, 4], seed)
    with compile(program(spec), model) as compiled:
        found = steps(compiled, p.inputs(), FORCED)
    torch.testing.assert_close(found, reference.logits(p, FORCED), atol=2e-4, rtol=2e-4)


BEHAVIOURS = [
    (call("merge"), {"merge": 1.0}),
    (call("pool"), {"pool": 1.0}),
    (call("reweight", temperature=0.2), {"reweight": 1.0}),
    (mix(merge=0.5, prune=0.5), {"merge": 0.5, "prune": 0.5}),
    (mix(merge=0.6, pool=0.3, prune=0.1), {"merge": 0.6, "pool": 0.3, "prune": 0.1}),
]


@pytest.mark.parametrize(("via", "shares"), BEHAVIOURS)
def test_behaviour(via: Any, shares: dict[str, float]) -> None:
    model = tiny_llava(kv_heads=2)
    reference = Reference(model, {2: lambda rows: absorb(rows, 5, shares)})
    agree(model, step(2, ratio("5/16"), via=via), reference, 1)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_sizes_and_bias_travel_from_site_to_site(attention: str) -> None:
    """The second merge weighs by the sizes that the first left; the bias acts from its site on, in decoding too."""
    model = tiny_llava(attention)
    sites = {1: lambda r: absorb(r, 10, {"merge": 1.0}), 3: lambda r: absorb(r, 4, {"merge": 1.0})}
    reference = Reference(model, sites, bias={1: 0.7, 2: 0.7, 3: 0.7, 4: 0.7})
    spec = step([1, 3], [ratio("10/16"), ratio("4/16")], via=call("merge"), bias=0.7)
    agree(model, spec, reference, 2)


def test_a_bias_without_which_the_result_differs() -> None:
    model = tiny_llava()
    p = prompt([5, 0, 4], 2)
    found = []
    for bias in (0.0, 1.0):
        with compile(program(step(1, ratio("1/4"), via=call("merge"), bias=bias)), model) as compiled:
            found.append(steps(compiled, p.inputs(), FORCED))
    assert (found[0] - found[1]).abs().max() > 0.01


@pytest.mark.parametrize("positions", ["keep", "compact", "mean", "median"])
def test_positions(positions: str) -> None:
    model = tiny_llava()
    compact = 2 if positions == "compact" else 99
    reference = Reference(model, {2: lambda r: absorb(r, 4, {"merge": 1.0}, positions)}, compact=compact)
    agree(model, step(2, ratio("1/4"), via=call("merge"), positions=positions), reference, 4)


def test_similarity_of_keys() -> None:
    """Keys of the layer before, after rotation, heads side by side, shared heads as they are."""
    model = tiny_llava(kv_heads=2)
    reference = Reference(model, {3: lambda r: absorb(r, 5, {"merge": 1.0}, features="keys")})
    via = call("merge", similarity=call("cosine", of="keys"))
    agree(model, step(3, ratio("5/16"), via=via), reference, 5)


def test_a_gradual_range() -> None:
    """`layer 1..4: retain 25% via mix(merge, prune)`: geometric counts, one reduction on entry to each layer."""
    counts = [ceil(TOKENS * 0.25 ** (i / 4) - 1e-9) for i in (1, 2, 3, 4)]
    model = tiny_llava()
    shares = {"merge": 0.5, "prune": 0.5}
    sites = {1 + i: (lambda r, k=k: absorb(r, k, shares)) for i, k in enumerate(counts)}
    spec = step([1, 4], ratio("1/4"), via=mix(merge=0.5, prune=0.5), gradual=True)
    agree(model, spec, Reference(model, sites), 6)
