"""One small coloured digit among grey clutter. Fine detail: pooling mixes it away."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.scene import COLORS, DIGITS, GRAY, LETTERS, SHAPES, Item, Scene, in_block


class Needle(Family):
    name = "needle"
    mirrors = "V*, small text"
    breaks = "one token of all carries the answer"
    answers: ClassVar[Choices] = {"digit": DIGITS}
    cores: ClassVar[Choices] = {"digit": ("what digit is {color}", "what is the {color} digit")}

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (needle_scene(rng, difficulty, want),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        needles = [item for item in scenes[0].items if item.color != GRAY]
        item = rng.choice([item for item in needles if want in (None, item.kind)])
        return Asked(kind, {"color": item.color}, item.kind)


def needle_scene(rng: Random, difficulty: Difficulty, want: str | None = None) -> Scene:
    """One to three coloured digits of one cell, and grey things in a third of the blocks or more. The larger the
    canvas, the smaller a share of the image the digit is."""
    number, bands = rng.randint(1, 3), difficulty.canvas // 2
    blocks = rng.sample(range(bands * bands), bands * bands)
    digits = [want or rng.choice(DIGITS), *rng.choices(DIGITS, k=number - 1)]
    items = [
        in_block(digit, color, block, 1, rng, bands)
        for digit, color, block in zip(digits, rng.sample(COLORS, number), blocks[:number], strict=True)
    ]
    share = max(difficulty.clutter, 0.3)
    grey = blocks[number : number + round(share * len(blocks))]
    return Scene((*(_grey(block, rng, bands) for block in grey), *items), difficulty.canvas)


def _grey(block: int, rng: Random, bands: int) -> Item:
    kind = rng.choice(rng.choice((SHAPES, DIGITS, LETTERS)))
    return in_block(kind, GRAY, block, rng.choice((1, 1, 2)), rng, bands)
