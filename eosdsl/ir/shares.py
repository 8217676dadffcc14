"""Weights that share one whole: shares of a mix, weights of a sum of scores.

A genome holds the shares themselves. Weights of a sum always come to one (only their proportions matter); shares of a
mix come to at most what the decided parts leave, each within its bounds, and what is missing is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import floor

from eosdsl.ir.decision_points import DecisionPoint
from eosdsl.ir.genome import Gene

DIGITS = 2


@dataclass(frozen=True)
class Family:
    """The open weights of one sum or mix. `whole`: what they share; `mixes`: they may come to less."""

    id: str
    points: tuple[DecisionPoint, ...]
    whole: Fraction
    mixes: bool

    @property
    def lows(self) -> tuple[float, ...]:
        return tuple(point.bounds[0] for point in self.points)

    @property
    def highs(self) -> tuple[float, ...]:
        return tuple(point.bounds[1] for point in self.points)


def within(family: Family, given: Sequence[float]) -> list[float]:
    """The nearest shares that may be: not below lows, not above highs, in a sum all of the whole, in a mix at most."""
    whole, lows, highs = float(family.whole), family.lows, family.highs
    above = [max(value - low, 0.0) for value, low in zip(given, lows, strict=True)]
    room, asked = max(whole - sum(lows), 0.0), sum(above)
    if not family.mixes and asked == 0:
        above, asked = [1.0] * len(above), float(len(above))
    factor = room / asked if asked > room + 1e-9 or (not family.mixes and asked > 0) else 1.0
    return [min(low + factor * part, high) for low, part, high in zip(lows, above, highs, strict=True)]


def rounded(family: Family, values: Mapping[str, Gene]) -> dict[str, Gene]:
    """Shares with two decimals that come to as much as before: what is lost goes to those that lost most."""
    shares = within(family, [float(values[point.id]) for point in family.points])
    unit = 10**DIGITS
    scaled = [share * unit for share in shares]
    floors = [floor(one + 1e-6) for one in scaled]
    missing = floor(sum(scaled) + 1e-6) - sum(floors)
    most = sorted(range(len(scaled)), key=lambda i: (floors[i] - scaled[i], i))
    for place in most[: max(missing, 0)]:
        floors[place] += 1
    return {point.id: one / unit for point, one in zip(family.points, floors, strict=True)}
