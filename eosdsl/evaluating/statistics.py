"""What a share of right answers is worth: intervals and paired tests. Numpy alone, every number reproducible.

Answers are right or wrong, so that drawing n of them anew with replacement is drawing from a binomial (one accuracy)
or a multinomial (pairs): the bootstrap here is exact and fast, not an approximation of itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import comb

import numpy as np
from numpy.typing import NDArray

ROUNDS = 2000
_LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95% interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Pairs:
    """The same questions asked twice: `both` right, only the `first`, only the `second`, `neither`."""

    both: int
    first: int
    second: int
    neither: int

    @property
    def n(self) -> int:
        return self.both + self.first + self.second + self.neither

    @staticmethod
    def of(first: Sequence[bool], second: Sequence[bool]) -> Pairs:
        """Of two lists of right and wrong, question by question."""
        both = sum(a and b for a, b in zip(first, second, strict=True))
        return Pairs(both, sum(first) - both, sum(second) - both, len(first) - sum(first) - sum(second) + both)


def accuracy_interval(right: int, n: int, seed: int = 0) -> Interval:
    """Percentile bootstrap of `right` of `n`. Where nothing varies, Clopper and Pearson's."""
    if n == 0:
        return Interval(0.0, 1.0)
    if right in (0, n):
        edge = ((1 - _LEVEL) / 2) ** (1 / n)
        return Interval(edge, 1.0) if right else Interval(0.0, 1 - edge)
    return _percentiles(np.random.default_rng(seed).binomial(n, right / n, ROUNDS) / n)


def mean_interval(counts: Sequence[tuple[int, int]], seed: int = 0) -> Interval:
    """Bootstrap of the mean over families of their accuracies: (right, n) each, drawn within the family.

    A family that is all right or all wrong would vary nothing: it is drawn from Jeffreys' posterior instead.
    """
    rng = np.random.default_rng(seed)
    drawn = [_drawn(right, n, rng) for right, n in counts]
    return _percentiles(np.mean(drawn, axis=0))


def _drawn(right: int, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
    if right in (0, n):
        return rng.beta(right + 0.5, n - right + 0.5, ROUNDS)
    return rng.binomial(n, right / n, ROUNDS) / n


def relative_interval(families: Sequence[Pairs], seed: int = 0) -> Interval:
    """Bootstrap of (mean accuracy of the second) / (mean accuracy of the first): pairs stay together."""
    rng = np.random.default_rng(seed)
    first, second = np.zeros(ROUNDS), np.zeros(ROUNDS)
    for pairs in families:
        drawn = rng.multinomial(
            pairs.n, np.array([pairs.both, pairs.first, pairs.second, pairs.neither]) / pairs.n, ROUNDS
        )
        first += (drawn[:, 0] + drawn[:, 1]) / pairs.n
        second += (drawn[:, 0] + drawn[:, 2]) / pairs.n
    return _percentiles(second / np.maximum(first, 1e-12))


def difference_interval(families: Sequence[Pairs], seed: int = 0) -> Interval:
    """Bootstrap of (mean accuracy of the second) - (mean accuracy of the first): pairs stay together."""
    rng = np.random.default_rng(seed)
    apart = np.zeros(ROUNDS)
    for pairs in families:
        drawn = rng.multinomial(
            pairs.n, np.array([pairs.both, pairs.first, pairs.second, pairs.neither]) / pairs.n, ROUNDS
        )
        apart += (drawn[:, 2] - drawn[:, 1]) / pairs.n
    return _percentiles(apart / max(len(families), 1))


def mcnemar(pairs: Pairs) -> float:
    """Exact two-sided p of McNemar's test: of the questions on which the two differ, how many go one way?"""
    differing = pairs.first + pairs.second
    fewer = min(pairs.first, pairs.second)
    tail = Fraction(sum(comb(differing, k) for k in range(fewer + 1)), 2**differing)
    return float(min(2 * tail, Fraction(1)))


def holm(values: Sequence[float]) -> list[float]:
    """Holm's adjustment of several p values, in their order."""
    order = sorted(range(len(values)), key=lambda i: values[i])
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, i in enumerate(order):
        highest = max(highest, min(1.0, (len(values) - rank) * values[i]))
        adjusted[i] = highest
    return adjusted


def image_contribution(accuracy: float, blind: float) -> float | None:
    """(accuracy − blind) / blind: what seeing adds, relative to guessing from the question alone."""
    return (accuracy - blind) / blind if blind else None


def _percentiles(drawn: NDArray[np.float64]) -> Interval:
    outside = 100 * (1 - _LEVEL) / 2
    low, high = np.percentile(drawn, [outside, 100 - outside])
    return Interval(float(low), float(high))
