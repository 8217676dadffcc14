"""What anchors may take in, by which likeness, and copies."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from building import call, dims, group, mix, reduce, tokens
from loops import cosines, put_together, take_in, top

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Behaviour
from eosdsl.operators.base import Tokens
from eosdsl.operators.registry import operators


def sample(rows: int = 4, columns: int = 6) -> Tokens:
    torch.manual_seed(3)
    hidden = torch.randn(2, rows * columns, 5)
    sizes = torch.randint(1, 4, (2, rows * columns)).float()
    return tokens(hidden, sizes=sizes, keys=torch.randn(2, rows * columns, 3), grid=(rows, columns))


def check(behaviour: Behaviour, seen: Tokens, kind: str, likeness: str, may: str, reach: float) -> None:
    """The package's rows against a plain reference, support and likeness by loops."""
    made = reduce(group(behaviour), 5, seen)
    for one in range(2):
        x = seen.hidden[one].double().numpy()
        keys = seen.keys[one].double().numpy() if seen.keys is not None else x
        anchors = top(np.sqrt((x * x).sum(1)), 5)
        length = len(x)
        if likeness == "euclidean":
            alike = -np.array([[np.sqrt(((x[i] - x[j]) ** 2).mean()) for j in range(length)] for i in anchors])
            apart = -alike
        elif likeness == "dot":
            alike = x[anchors] @ x.T / np.sqrt(5)
            apart = -alike
        else:
            alike = cosines(keys[anchors], keys) if likeness == "keys" else cosines(x[anchors], x)
            apart = 1 - alike
        able = np.ones((5, length), bool)
        for i, anchor in enumerate(anchors):
            near = sorted((j for j in range(length) if j != anchor), key=lambda j, i=i: float(apart[i, j]))
            for j in range(length):
                if may == "window":
                    able[i, j] = (anchor // 6 // 2, anchor % 6 // 3) == (j // 6 // 2, j % 6 // 3)
                if may == "distance":
                    able[i, j] = apart[i, j] <= reach
                if may == "nearest":
                    able[i, j] = j in near[: int(reach)]
                if may == "frame":
                    able[i, j] = anchor // 8 == j // 8
        m = seen.sizes[one].double().numpy()
        taken = take_in(kind, alike, anchors, able, 0.3)
        wanted = put_together(x, m, m, anchors, taken, "average")
        np.testing.assert_allclose(made.hidden[one].numpy(), wanted.hidden, atol=2e-5)
        np.testing.assert_allclose(made.sizes[one].numpy(), wanted.sizes, atol=1e-5)
        np.testing.assert_allclose(made.weights[one].numpy(), wanted.weights, atol=2e-5)


SUPPORTS = {
    "everywhere": (call("everywhere"), 0.0),
    "window": (call("window", dims(2, 3)), 0.0),
    "distance": (call("distance", 0.7), 0.7),
    "nearest": (call("nearest", 4), 4.0),
    "frame": (call("frame"), 0.0),
}


def test_every_support_and_similarity_is_tested_here() -> None:
    assert set(SUPPORTS) == set(operators("supports"))
    assert set(operators("similarities")) == {"cosine", "euclidean", "dot"}


@pytest.mark.parametrize("kind", ["merge", "pool", "reweight"])
@pytest.mark.parametrize("support", list(SUPPORTS))
def test_supports(kind: str, support: str) -> None:
    seen = sample()
    if support == "frame":
        seen = dataclasses.replace(seen, frame=torch.arange(24).div(8, rounding_mode="floor").expand(2, 24))
    written, reach = SUPPORTS[support]
    options = {"temperature": 0.3} if kind == "reweight" else {}
    check(call(kind, within=written, **options), seen, kind, "hidden", support, reach)


@pytest.mark.parametrize("likeness", ["euclidean", "dot", "keys"])
def test_similarities(likeness: str) -> None:
    similarity = call("cosine", "keys") if likeness == "keys" else call(likeness)
    check(call("merge", similarity=similarity), sample(), "merge", likeness, "everywhere", 0)
    soft = call("reweight", temperature=0.3, similarity=similarity)
    check(soft, sample(), "reweight", likeness, "everywhere", 0)


def test_what_no_anchor_may_take_is_dropped_and_never_nan() -> None:
    seen = sample()
    for behaviour in (
        call("merge", within=call("distance", 0)),
        call("pool", within=call("distance", 0)),
        call("reweight", temperature=0.1, within=call("distance", 0)),
        mix((0.5, call("merge", within=call("distance", 0))), (0.5, call("pool", within=call("distance", 0)))),
    ):
        made = reduce(group(behaviour), 5, seen)
        pruned = reduce(group("prune"), 5, seen)
        assert torch.equal(made.hidden, pruned.hidden)
        assert torch.equal(made.sizes, pruned.sizes)


def test_parts_of_a_mix_have_their_own_support() -> None:
    seen = sample()
    both = mix((0.5, call("pool", within=call("window", dims(2, 3)))), (0.25, call("merge")))
    made = reduce(group(both), 5, seen)
    for one in range(2):
        x = seen.hidden[one].double().numpy()
        anchors = top(np.sqrt((x * x).sum(1)), 5)
        alike, everywhere = cosines(x[anchors], x), np.ones((5, 24), bool)
        window = np.array([[(a // 12, a % 6 // 3) == (j // 12, j % 6 // 3) for j in range(24)] for a in anchors])
        taken = 0.5 * take_in("pool", alike, anchors, window, 0) + 0.25 * take_in(
            "merge", alike, anchors, everywhere, 0
        )
        m = seen.sizes[one].double().numpy()
        np.testing.assert_allclose(
            made.hidden[one].numpy(), put_together(x, m, m, anchors, taken, "average").hidden, atol=2e-5
        )


def test_borrow_takes_copies_also_of_anchors() -> None:
    seen = sample()
    written = call("borrow", within=call("nearest", 6), weight="score", combine="add_sum")
    made = reduce(group(written), 5, seen)
    for one in range(2):
        x = seen.hidden[one].double().numpy()
        norms = np.sqrt((x * x).sum(1))
        anchors = top(norms, 5)
        alike = cosines(x, x)
        for row, anchor in enumerate(anchors):
            near = sorted((j for j in range(24) if j != anchor), key=lambda j, a=anchor: -float(alike[a, j]))[:6]
            wanted = x[anchor] + sum(norms[j] * x[j] for j in near)
            np.testing.assert_allclose(made.hidden[one, row].numpy(), wanted, atol=5e-5)
            size = float(seen.sizes[one, anchor]) + sum(float(seen.sizes[one, j]) for j in near)
            assert float(made.sizes[one, row]) == size


def test_a_window_without_a_grid_is_one_clear_error() -> None:
    seen = dataclasses.replace(sample(), grid=None)
    with pytest.raises(SpecError) as caught:
        reduce(group(call("pool", within=call("window", dims(2, 2)))), 5, seen)
    assert [one.code for one in caught.value.diagnostics] == ["E0229"]
