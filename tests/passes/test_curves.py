"""Curves against arithmetic of 200 digits, and against the integer law that defines the geometric one."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eosdsl.passes.curves import CURVES, point

counts = st.fractions(0, 5000, max_denominator=60)
ranges = st.integers(1, 40).flatmap(lambda steps: st.tuples(st.integers(1, steps), st.just(steps)))


@given(st.fractions(Fraction(1, 60), 5000, max_denominator=60), counts, ranges)
def test_geometric_is_the_smallest_count_that_its_law_allows(
    start: Fraction, end: Fraction, place: tuple[int, int]
) -> None:
    """K^n >= start^(n - i) end^i, and one less is too few: integers alone, no roots."""
    index, steps = place
    kept = point(start, end, index, steps, "geometric")
    law = start ** (steps - index) * end**index
    assert kept >= 0
    assert kept**steps >= law
    assert kept == 0 or (kept - 1) ** steps < law


@pytest.mark.parametrize("curve", CURVES)
@given(counts, counts, ranges, st.fractions(Fraction(1, 8), 60, max_denominator=8))
def test_every_curve_is_its_formula_rounded_up(
    curve: str, start: Fraction, end: Fraction, place: tuple[int, int], steepness: Fraction
) -> None:
    index, steps = place
    with mpmath.workdps(200):
        value = reference(curve, real(start), real(end), mpmath.mpf(index) / steps, real(steepness))
        # 200 digits tell a whole number from its neighbours; only rounding noise is taken off
        expected = int(mpmath.ceil(value - mpmath.mpf(10) ** -150))
    assert point(start, end, index, steps, curve, steepness) == expected


def real(value: Fraction) -> Any:
    return mpmath.mpf(value.numerator) / value.denominator


def reference(curve: str, start: Any, end: Any, t: Any, steepness: Any) -> Any:
    if curve == "geometric":
        if start == 0 or end == 0:
            return end if t == 1 else mpmath.mpf(0)
        return start * (end / start) ** t
    if curve == "linear":
        share = t
    elif curve == "cosine":
        share = (1 - mpmath.cos(mpmath.pi * t)) / 2
    else:
        low, high, here = (1 / (1 + mpmath.exp(-steepness * (x - mpmath.mpf(1) / 2))) for x in (0, 1, t))
        share = (here - low) / (high - low)
    return start + (end - start) * share


@pytest.mark.parametrize("curve", CURVES)
@given(counts, counts, st.integers(2, 40))
def test_a_range_ends_at_its_end_and_never_turns(curve: str, one: Fraction, other: Fraction, steps: int) -> None:
    start, end = max(one, other), min(one, other)
    kept = [point(start, end, index, steps, curve) for index in range(1, steps + 1)]
    assert kept == sorted(kept, reverse=True)
    assert kept[-1] == -(-end.numerator // end.denominator)
    assert kept[0] <= -(-start.numerator // start.denominator)


def test_the_one_line_example() -> None:
    """`at layer 2..8: retain 25%`: shares 0.25^(i/7) of 576, rounded up."""
    kept = [point(Fraction(576), Fraction(144), i, 7, "geometric") for i in range(1, 8)]
    assert kept == [473, 388, 318, 261, 214, 176, 144]


def test_whole_numbers_in_the_middle_are_not_rounded_up_by_noise() -> None:
    assert [point(Fraction(100), Fraction(0), i, 6, "cosine") for i in (2, 3, 4)] == [75, 50, 25]
    assert point(Fraction(100), Fraction(0), 3, 6, "logistic") == 50
    assert point(Fraction(64), Fraction(1), 3, 6, "geometric") == 8
