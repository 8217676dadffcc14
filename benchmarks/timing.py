"""Timing of several pieces of work side by side: in turns, as medians of what each round's quotients are.

What else a machine does falls on all of them alike, and a quotient of two neighbours in one round feels little of it.
Every other round goes backwards: of two neighbours each comes first as often as the other, so that neither gains by
what the one before it leaves behind, nor by a machine that grows slower or faster.
"""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import torch

Work = Callable[[], Any]


class Spread(NamedTuple):
    """A median with its quartiles, and how many rounds it is of."""

    median: float
    low: float
    high: float
    rounds: int


def in_turns(runs: Mapping[str, Work], rounds: int, *, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each piece of work in every round, after `warm` rounds that do not count."""
    times: dict[str, list[float]] = {name: [] for name in runs}
    order = list(runs.items())
    for number in range(warm + rounds):
        for name, run in order if number % 2 == 0 else reversed(order):
            start = clock()
            run()
            if number >= warm:
                times[name].append(clock() - start)
    return times


def clock() -> float:
    """Seconds, once the device has done what it was given. On one thread of a processor those of this process alone."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def spread(values: Sequence[float]) -> Spread:
    """The median and the quartiles of some numbers."""
    if len(values) < 2:
        return Spread(values[0], values[0], values[0], len(values))
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(middle, low, high, len(values))


def quotients(over: Sequence[float], under: Sequence[float]) -> Spread:
    """How many times as long one takes as the other, round by round."""
    return spread([one / other for one, other in zip(over, under, strict=True)])


def slope(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """How a time grows with a size: the least-squares slope of its logarithm over that of the size. 1.0 is linear."""
    xs, ys = [math.log(size) for size in sizes], [math.log(one) for one in seconds]
    x, y = statistics.fmean(xs), statistics.fmean(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
