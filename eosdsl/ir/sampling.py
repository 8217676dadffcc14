"""Random members of a space."""

from __future__ import annotations

import random
from collections.abc import Sequence

from eosdsl.ir.decision_points import DecisionPoint
from eosdsl.ir.genome import Gene
from eosdsl.ir.shares import Family, within


def draw(point: DecisionPoint, rng: random.Random) -> Gene:
    """A value of a point that is neither a gate nor a weight: uniform on the point's scale, or among its choices."""
    if point.kind == "choice":
        return rng.choice(point.names)
    return point.rounded(point.at(rng.random()))


def draw_shares(family: Family, rng: random.Random) -> dict[str, Gene]:
    """Shares uniform over all that come to the whole (a flat Dirichlet distribution), within bounds."""
    parts = [rng.expovariate(1.0) for _ in family.points]
    room = max(float(family.whole) - sum(family.lows), 0.0)
    given = [low + room * part / sum(parts) for low, part in zip(family.lows, parts, strict=True)]
    return {point.id: value for point, value in zip(family.points, within(family, given), strict=True)}


def draw_subset(candidates: Sequence[int], fewest: int, most: int, rng: random.Random) -> list[int]:
    """From `fewest` to `most` of the candidates: first how many, then which."""
    number = rng.randint(min(fewest, len(candidates)), min(most, len(candidates)))
    return sorted(rng.sample(list(candidates), number))


def spread(candidates: Sequence[int], number: int) -> list[int]:
    """So many of the candidates, evenly apart."""
    length = len(candidates)
    return [candidates[(2 * i + 1) * length // (2 * number)] for i in range(number)]
