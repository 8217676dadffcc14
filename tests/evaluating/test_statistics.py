"""Intervals and tests against closed forms, numbers worked out by hand, and simulation."""

from __future__ import annotations

from itertools import product
from math import erf, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosdsl.evaluating.statistics import (
    Pairs,
    accuracy_interval,
    holm,
    image_contribution,
    mcnemar,
    mean_interval,
    relative_interval,
)


def test_pairs_are_counted_by_kind() -> None:
    first = [True, True, False, False, True]
    second = [True, False, True, False, False]
    assert Pairs.of(first, second) == Pairs(both=1, first=2, second=1, neither=1)


@pytest.mark.parametrize(
    ("lost", "won", "by_hand"),
    [
        (0, 0, 1.0),
        (5, 0, 2 / 32),
        (8, 2, 2 * (1 + 10 + 45) / 1024),  # two-sided: twice P(at most 2 of 10)
        (3, 3, 1.0),
        (9, 1, 2 * (1 + 10) / 1024),
    ],
)
def test_mcnemar_by_hand(lost: int, won: int, by_hand: float) -> None:
    assert mcnemar(Pairs(both=50, first=lost, second=won, neither=7)) == pytest.approx(by_hand)
    assert mcnemar(Pairs(both=0, first=won, second=lost, neither=0)) == pytest.approx(by_hand)


def test_mcnemar_is_the_share_of_sign_patterns_that_are_as_uneven() -> None:
    """Enumerate all ways in which n differing questions could have gone."""
    for n in range(1, 11):
        patterns = [sum(signs) for signs in product((0, 1), repeat=n)]
        for lost in range(n + 1):
            uneven = abs(lost - n / 2)
            exact = sum(abs(one - n / 2) >= uneven for one in patterns) / len(patterns)
            assert mcnemar(Pairs(3, lost, n - lost, 4)) == pytest.approx(exact)


def test_mcnemar_of_many_nears_the_normal_distribution() -> None:
    lost, won = 460, 540
    z = (won - lost - 1) / sqrt(1000)  # with continuity correction
    normal = 2 * (1 - 0.5 * (1 + erf(z / sqrt(2))))
    assert mcnemar(Pairs(0, lost, won, 0)) == pytest.approx(normal, rel=0.01)


def test_the_interval_has_the_width_of_the_normal_approximation() -> None:
    found = accuracy_interval(700, 1000)
    half = 1.96 * sqrt(0.7 * 0.3 / 1000)
    assert (found.low, found.high) == pytest.approx((0.7 - half, 0.7 + half), abs=0.004)


def test_all_right_and_all_wrong_keep_an_interval() -> None:
    """0.975 = P(fewer than all right) at the lower end: Clopper and Pearson in closed form."""
    found = accuracy_interval(20, 20)
    assert found.high == 1.0
    assert found.low**20 == pytest.approx(0.025)
    none = accuracy_interval(0, 20)
    assert (none.low, none.high) == pytest.approx((0.0, 1 - found.low))


@pytest.mark.parametrize("truth", [0.3, 0.7, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(truth: float) -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for trial in range(400):
        found = accuracy_interval(int(rng.binomial(200, truth)), 200, seed=trial)
        inside += found.low <= truth <= found.high
    assert 0.91 <= inside / 400 <= 0.98


def test_the_mean_over_families_varies_less_than_each() -> None:
    one = accuracy_interval(60, 100)
    four = mean_interval([(60, 100)] * 4)
    assert (four.high - four.low) == pytest.approx((one.high - one.low) / 2, rel=0.15)


def test_a_family_with_few_questions_weighs_as_much() -> None:
    found = mean_interval([(1000, 1000), (0, 10)])
    assert found.low == pytest.approx(0.5, abs=0.002)
    assert 0.5 < found.high < 0.65  # five percent of the mean for each tenth of the small family


def test_pairs_that_agree_make_a_narrow_relative_interval() -> None:
    agree = relative_interval([Pairs(80, 10, 0, 10)])
    apart = relative_interval([Pairs(72, 18, 8, 2)])  # the same accuracies, other questions
    assert agree.low < 80 / 90 < agree.high
    assert (agree.high - agree.low) < (apart.high - apart.low)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_a_p_and_keeps_their_order(values: list[float]) -> None:
    adjusted = holm(values)
    assert all(a >= p for a, p in zip(adjusted, values, strict=True))
    order = sorted(range(len(values)), key=lambda i: values[i])
    assert [adjusted[i] for i in order] == sorted(adjusted)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])


def test_image_contribution() -> None:
    assert image_contribution(0.9, 0.3) == pytest.approx(2.0)
    assert image_contribution(0.9, 0.0) is None
