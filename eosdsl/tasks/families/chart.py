"""Bars of different heights: the highest, the lowest, the value of one."""

from __future__ import annotations

from functools import cache
from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.scene import BAR, COLORS, DIGITS, GRID, Item, Scene

_HIGHEST = 9
"""Values are 1 to 9, a cell of height each."""
_PLACES = GRID // 2
"""Places for a bar: every second column."""


class Chart(Family):
    name = "chart"
    mirrors = "ChartQA"
    breaks = "long thin objects: their ends decide"
    answers: ClassVar[Choices] = {"highest": COLORS, "lowest": COLORS, "value": DIGITS[1:]}
    cores: ClassVar[Choices] = {
        "highest": ("which bar is highest", "what color is the highest bar"),
        "lowest": ("which bar is lowest", "what color is the lowest bar"),
        "value": ("what is the value of the {color} bar", "how high is the {color} bar"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (chart_scene(rng),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        bars = list(scenes[0].items)
        rng.shuffle(bars)
        if kind == "value":
            bar = next((bar for bar in bars if want in (None, str(bar.height))), None)
            return None if bar is None else Asked(kind, {"color": bar.color}, str(bar.height))
        pick = max if kind == "highest" else min
        end = pick(bars, key=lambda bar: bar.height)
        single = sum(bar.height == end.height for bar in bars) == 1
        return Asked(kind, {}, end.color) if single and want in (None, end.color) else None


def chart_scene(rng: Random) -> Scene:
    """Three to five bars on one base line. Half of the charts show a row of a real table (scikit-learn's wines)."""
    number = rng.randint(3, 5)
    heights = [rng.randint(1, _HIGHEST) for _ in range(number)]
    if rng.random() < 0.5:
        heights = rng.sample(rng.choice(_table()), number)
    columns = sorted(rng.sample(range(_PLACES), number))
    shift = rng.randrange(2)
    return Scene(
        tuple(
            Item(BAR, color, GRID - height, 2 * column + shift, height, 1)
            for color, height, column in zip(rng.sample(COLORS, number), heights, columns, strict=True)
        )
    )


@cache
def _table() -> list[list[int]]:
    """Rows of the wine table, every column scaled to 1..9."""
    from sklearn.datasets import load_wine

    values = load_wine(return_X_y=True)[0]
    low, high = values.min(axis=0), values.max(axis=0)
    scaled = 1 + ((_HIGHEST - 1) * (values - low) / (high - low)).round().astype(int)
    return scaled.tolist()
