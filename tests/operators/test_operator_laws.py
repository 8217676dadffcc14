"""Laws that hold whatever the numbers are."""

from __future__ import annotations

import pytest
import torch
from building import call, group, mix, reduce, tokens
from hypothesis import given, settings
from hypothesis import strategies as st

from eosdsl.ir.nodes import Behaviour
from eosdsl.operators.base import Reduction

BEHAVIOURS: list[Behaviour] = [
    call("prune"),
    call("merge"),
    call("pool"),
    call("reweight", temperature=0.1),
    mix((0.5, call("merge")), (0.5, call("prune"))),
    mix((0.3, call("merge")), (0.3, call("pool")), (0.4, call("reweight", temperature=2))),
]
shapes = st.tuples(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 24), st.integers(1, 30))


def sample(seed: int, images: int, length: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    hidden = torch.randn(images, length, 8, generator=generator)
    return hidden, torch.randint(1, 6, (images, length), generator=generator).float()


def reduced(behaviour: Behaviour, seed: int, images: int, length: int, count: int) -> tuple[torch.Tensor, Reduction]:
    hidden, sizes = sample(seed, images, length)
    return hidden, reduce(group(behaviour), count, tokens(hidden, sizes=sizes))


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BEHAVIOURS), shapes)
def test_weights_make_the_rows_and_are_averages(behaviour: Behaviour, shape: tuple[int, int, int, int]) -> None:
    hidden, made = reduced(behaviour, *shape)
    assert (made.weights >= 0).all()
    torch.testing.assert_close(made.weights.sum(dim=2), torch.ones(made.anchors.shape))
    torch.testing.assert_close(made.weights @ hidden, made.hidden, atol=1e-5, rtol=1e-5)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(BEHAVIOURS), shapes)
def test_anchors_are_exactly_k_unique_ascending_and_there(
    behaviour: Behaviour, shape: tuple[int, int, int, int]
) -> None:
    _, images, length, count = shape
    _, made = reduced(behaviour, *shape)
    assert made.anchors.shape == (images, min(count, length))
    assert made.valid is None
    for row in made.anchors.tolist():
        assert row == sorted(set(row))
        assert row[0] >= 0 and row[-1] < length


@settings(max_examples=40, deadline=None)
@given(st.sampled_from([b for b in BEHAVIOURS if b not in (BEHAVIOURS[0], BEHAVIOURS[4])]), shapes)
def test_what_absorbs_everything_keeps_the_sum_of_sizes(behaviour: Behaviour, shape: tuple[int, int, int, int]) -> None:
    seed, images, length, _ = shape
    _, sizes = sample(seed, images, length)
    _, made = reduced(behaviour, *shape)
    torch.testing.assert_close(made.sizes.sum(dim=1), sizes.sum(dim=1))


@settings(max_examples=30, deadline=None)
@given(shapes)
def test_pruning_keeps_sizes_of_anchors_and_rows_bit_for_bit(shape: tuple[int, int, int, int]) -> None:
    seed, images, length, _ = shape
    _, sizes = sample(seed, images, length)
    hidden, made = reduced(call("prune"), *shape)
    rows = torch.arange(images)[:, None]
    assert torch.equal(made.hidden, hidden[rows, made.anchors])
    assert torch.equal(made.sizes, sizes[rows, made.anchors])


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_retaining_everything_is_the_identity_bit_for_bit(behaviour: Behaviour, dtype: torch.dtype) -> None:
    hidden, sizes = sample(5, 3, 17)
    made = reduce(group(behaviour), 17, tokens(hidden.to(dtype), sizes=sizes))
    assert made.hidden.dtype == dtype
    assert torch.equal(made.hidden, hidden.to(dtype))
    assert torch.equal(made.sizes, sizes)
    assert torch.equal(made.weights, torch.eye(17).expand(3, 17, 17))


def test_merge_is_reweight_as_temperature_falls_and_pool_as_it_rises() -> None:
    hidden, sizes = sample(9, 4, 30)
    seen = tokens(hidden, sizes=sizes)
    merged, pooled = reduce(group("merge"), 7, seen), reduce(group("pool"), 7, seen)
    cold = reduce(group(call("reweight", temperature=1e-6)), 7, seen)
    hot = reduce(group(call("reweight", temperature=1e6)), 7, seen)
    torch.testing.assert_close(cold.weights, merged.weights)
    torch.testing.assert_close(hot.weights, pooled.weights, atol=1e-5, rtol=1e-5)
    # and neither limit is trivial: in between lies something else
    between = reduce(group(call("reweight", temperature=0.3)), 7, seen)
    assert (between.weights - merged.weights).abs().max() > 1e-2
    assert (between.weights - pooled.weights).abs().max() > 1e-3


def test_prune_is_the_limit_of_a_mix_whose_merge_vanishes() -> None:
    hidden, sizes = sample(2, 2, 20)
    seen = tokens(hidden, sizes=sizes)
    pruned = reduce(group("prune"), 6, seen)
    gaps = [
        (reduce(group(mix((share, call("merge")), (1 - share, call("prune")))), 6, seen).hidden - pruned.hidden)
        .abs()
        .max()
        for share in (1.0, 0.1, 0.01, 0.0)
    ]
    assert gaps[0] > gaps[1] > gaps[2] > 0
    assert gaps[3] == 0


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(BEHAVIOURS), shapes, st.randoms())
def test_samples_of_a_batch_do_not_touch_each_other(
    behaviour: Behaviour, shape: tuple[int, int, int, int], dice: st.DataObject
) -> None:
    seed, images, length, count = shape
    hidden, sizes = sample(seed, images, length)
    made = reduce(group(behaviour), count, tokens(hidden, sizes=sizes))
    order = list(range(images))
    dice.shuffle(order)  # pyright: ignore[reportAttributeAccessIssue]: hypothesis gives a random.Random
    shuffled = reduce(group(behaviour), count, tokens(hidden[order], sizes=sizes[order]))
    assert torch.equal(shuffled.anchors, made.anchors[order])
    torch.testing.assert_close(shuffled.hidden, made.hidden[order])
    alone = reduce(group(behaviour), count, tokens(hidden[:1], sizes=sizes[:1]))
    assert torch.equal(alone.anchors, made.anchors[:1])
    torch.testing.assert_close(alone.hidden, made.hidden[:1])


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_half_precision_is_the_rounded_result_of_single(behaviour: Behaviour) -> None:
    hidden, sizes = sample(4, 2, 24)
    half = hidden.bfloat16()
    made = reduce(group(behaviour, score=call("random", 3)), 9, tokens(half, sizes=sizes))
    wanted = reduce(group(behaviour, score=call("random", 3)), 9, tokens(half.float(), sizes=sizes))
    assert made.hidden.dtype == torch.bfloat16
    assert torch.equal(made.hidden, wanted.hidden.bfloat16())
    assert torch.equal(made.sizes, wanted.sizes)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_gradients_reach_the_hidden_states(behaviour: Behaviour) -> None:
    torch.manual_seed(0)
    hidden = torch.randn(2, 9, 4, dtype=torch.float64, requires_grad=True)

    def rows(x: torch.Tensor) -> torch.Tensor:
        return reduce(group(behaviour, score=call("random", 3)), 4, tokens(x)).hidden

    assert torch.autograd.gradcheck(rows, (hidden,))


def test_ties_go_to_the_lower_position() -> None:
    hidden = torch.ones(1, 8, 3)
    made = reduce(group("merge"), 3, tokens(hidden))
    assert made.anchors.tolist() == [[0, 1, 2]]
    assert made.sizes.tolist() == [[6.0, 1.0, 1.0]]


def test_zero_rows_are_merged_without_nan() -> None:
    made = reduce(group(call("reweight", temperature=1e-3)), 2, tokens(torch.zeros(1, 6, 3)))
    assert torch.isfinite(made.hidden).all()
    assert torch.isfinite(made.weights).all()
