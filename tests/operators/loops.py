"""References written from the formulas, token by token, in float64 NumPy; no code shared with the package."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Reduced:
    hidden: Array
    sizes: Array
    weights: Array


def cosines(rows: Array, columns: Array) -> Array:
    result = np.zeros((len(rows), len(columns)))
    for i, a in enumerate(rows):
        for j, b in enumerate(columns):
            lengths = np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())
            result[i, j] = (a * b).sum() / lengths if lengths > 0 else 0.0
    return result


def take_in(
    behaviour: str, likeness: Array, anchors: list[int], may: npt.NDArray[np.bool_], temperature: float
) -> Array:
    """A [K, N]: with which weight anchor i takes in token j."""
    count, length = likeness.shape
    taken = np.zeros((count, length))
    for j in range(length):
        able = [i for i in range(count) if may[i, j] and j not in anchors]
        if not able or behaviour == "prune":
            continue
        if behaviour == "merge":
            best = able[0]
            for i in able[1:]:
                if likeness[i, j] > likeness[best, j]:
                    best = i
            taken[best, j] = 1.0
        elif behaviour == "pool":
            for i in able:
                taken[i, j] = 1.0 / len(able)
        else:
            highest = max(likeness[i, j] for i in able)
            total = sum(np.exp((likeness[i, j] - highest) / temperature) for i in able)
            for i in able:
                taken[i, j] = np.exp((likeness[i, j] - highest) / temperature) / total
    return taken


def put_together(hidden: Array, sizes: Array, weigh: Array, anchors: list[int], taken: Array, combine: str) -> Reduced:
    """Rows from A, by the rules of the language; `weigh` is what a row weighs."""
    count, length = taken.shape
    weights = np.zeros((count, length))
    grown = np.zeros(count)
    for i, anchor in enumerate(anchors):
        members = [j for j in range(length) if taken[i, j] > 0]
        grown[i] = sizes[anchor] + sum(taken[i, j] * sizes[j] for j in members)
        mass = sum(taken[i, j] * weigh[j] for j in members)
        if combine == "sequential":
            weights[i, anchor] = 1.0
            for j in members:
                step = taken[i, j] / 2
                weights[i] *= 1 - step
                weights[i, j] += step
            continue
        divisor = {"average": weigh[anchor] + mass, "add_mean": mass, "add_sum": 1.0}[combine]
        weights[i, anchor] = weigh[anchor] / divisor if combine == "average" else 1.0
        for j in members:
            weights[i, j] = taken[i, j] * weigh[j] / divisor
    rows = np.stack(
        [sum((weights[i, j] * hidden[j] for j in range(length)), start=np.zeros(hidden.shape[1])) for i in range(count)]
    )
    return Reduced(rows, grown, weights)


def top(scores: Array, count: int) -> list[int]:
    """The `count` highest, ties to the lower position, in order of position."""
    order = sorted(range(len(scores)), key=lambda j: (-scores[j], j))
    return sorted(order[:count])
