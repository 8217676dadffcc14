"""Every behaviour, weighting and way of combining against references written from the formulas."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from building import call, group, mix, reduce, tokens
from hypothesis import given, settings
from hypothesis import strategies as st
from loops import Array, cosines, put_together, take_in, top

COMBINES = ("average", "add_mean", "add_sum", "sequential")
WEIGHTS = ("size", "mean", "score", "sum")


def draw(seed: int, images: int, length: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(images, length, width, generator=generator)
    return hidden, torch.randint(1, 5, (images, length), generator=generator).float()


def numpy(tensor: torch.Tensor) -> Array:
    return tensor.detach().double().numpy()


@pytest.mark.parametrize("behaviour", ["prune", "merge", "pool", "reweight"])
@pytest.mark.parametrize("combine", COMBINES)
@pytest.mark.parametrize("weight", WEIGHTS)
def test_rows_sizes_and_weights_follow_the_formula(behaviour: str, combine: str, weight: str) -> None:
    hidden, sizes = draw(7, 3, 14, 6)
    options = {"weight": weight, "combine": combine} if behaviour != "prune" else {}
    options |= {"temperature": 0.2} if behaviour == "reweight" else {}
    made = reduce(group(call(behaviour, **options)), 5, tokens(hidden, sizes=sizes))
    for image in range(3):
        x, m = numpy(hidden[image]), numpy(sizes[image])
        scores = np.sqrt((x * x).sum(1))
        anchors = top(scores, 5)
        taken = take_in(behaviour, cosines(x[anchors], x), anchors, np.ones((5, 14), bool), 0.2)
        weigh = {"size": m, "mean": np.ones(14), "score": scores, "sum": np.ones(14)}[weight]
        wanted = put_together(x, m, weigh, anchors, taken, "add_sum" if weight == "sum" else combine)
        assert made.anchors[image].tolist() == anchors
        np.testing.assert_allclose(numpy(made.hidden[image]), wanted.hidden, atol=2e-5)
        np.testing.assert_allclose(numpy(made.sizes[image]), wanted.sizes, atol=1e-5)
        np.testing.assert_allclose(numpy(made.weights[image]), wanted.weights, atol=2e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 3), st.integers(1, 20), st.integers(1, 24), st.floats(0, 1), st.floats(0, 1)
)
def test_mix_is_the_convex_sum_of_its_parts(
    seed: int, images: int, length: int, asked: int, first: float, second: float
) -> None:
    hidden, sizes = draw(seed, images, length, 5)
    shares = (first, (1 - first) * second)
    soft = call("reweight", temperature=0.3)
    made = reduce(group(mix((shares[0], call("merge")), (shares[1], soft))), asked, tokens(hidden, sizes=sizes))
    count = min(asked, length)
    for image in range(images):
        x, m = numpy(hidden[image]), numpy(sizes[image])
        anchors = top(np.sqrt((x * x).sum(1)), count)
        likeness, everywhere = cosines(x[anchors], x), np.ones((count, length), bool)
        taken = shares[0] * take_in("merge", likeness, anchors, everywhere, 0)
        taken = taken + shares[1] * take_in("reweight", likeness, anchors, everywhere, 0.3)
        wanted = put_together(x, m, m, anchors, taken, "average")
        assert made.anchors[image].tolist() == anchors
        np.testing.assert_allclose(numpy(made.hidden[image]), wanted.hidden, atol=2e-5)
        np.testing.assert_allclose(numpy(made.sizes[image]), wanted.sizes, atol=1e-4)


def test_a_leftover_goes_to_its_best_anchor_among_the_groups_that_absorb() -> None:
    hidden, sizes = draw(3, 2, 18, 8)
    groups = [group("prune"), group("merge", score=call("random", 1)), group("merge", score=call("random", 2))]
    made = reduce(groups, [4, 3, 2], tokens(hidden, sizes=sizes))
    lone = reduce(group("merge"), 4, tokens(hidden, sizes=sizes))
    for image in range(2):
        x, m = numpy(hidden[image]), numpy(sizes[image])
        anchors: list[int] = made.anchors[image].tolist()
        pruned = lone.anchors[image].tolist()
        absorbing = [a for a in anchors if a not in pruned]
        assert len(anchors) == len(set(anchors)) == 9
        may = np.zeros((9, 18), bool)
        may[[i for i, a in enumerate(anchors) if a in absorbing]] = True
        taken = take_in("merge", cosines(x[anchors], x), anchors, may, 0)
        wanted = put_together(x, m, m, anchors, taken, "average")
        np.testing.assert_allclose(numpy(made.hidden[image]), wanted.hidden, atol=2e-5)
        np.testing.assert_allclose(numpy(made.weights[image]), wanted.weights, atol=2e-5)


def test_images_of_different_length_in_one_call_are_reduced_as_if_alone() -> None:
    hidden, sizes = draw(11, 3, 16, 6)
    valid = torch.arange(16) < torch.tensor([16, 9, 3])[:, None]
    hidden = torch.where(valid[:, :, None], hidden, 1e6)
    wanted = torch.tensor([6, 4, 5])
    for behaviour in (call("prune"), call("merge"), call("pool"), mix((0.5, call("merge")), (0.2, call("pool")))):
        made = reduce(group(behaviour), wanted, tokens(hidden, sizes=sizes, valid=valid))
        assert made.valid is not None
        for image, length in enumerate([16, 9, 3]):
            one = tokens(hidden[image : image + 1, :length], sizes=sizes[image : image + 1, :length])
            lone = reduce(group(behaviour), int(wanted[image]), one)
            count = lone.hidden.shape[1]
            assert made.valid[image].tolist() == [True] * count + [False] * (made.hidden.shape[1] - count)
            assert made.anchors[image, :count].tolist() == lone.anchors[0].tolist()
            assert (made.anchors[image, count:] == -1).all()
            torch.testing.assert_close(made.hidden[image, :count], lone.hidden[0])
            torch.testing.assert_close(made.weights[image, :count, :length], lone.weights[0])
            assert not made.weights[image, :, length:].any()
            assert not made.weights[image, count:].any()
