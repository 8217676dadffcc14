"""Real photographs: which one is this a part of, and is there a face? Redundant everywhere: pooling is fine."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.scene import FACE, GRID, PICTURES, TEXTURE, Item, Scene


class Photo(Family):
    name = "photo"
    mirrors = "SEED, MMBench scenes"
    breaks = "little: every part tells the whole, redundancy helps"
    answers: ClassVar[Choices] = {"picture": PICTURES, "face": ("yes", "no")}
    cores: ClassVar[Choices] = {
        "picture": ("which picture is this", "what does this picture show"),
        "face": ("is there a face", "do you see a face"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (photo_scene(rng, kind, want),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        shown = scenes[0].items[0].kind
        if kind == "picture":
            return Asked(kind, {}, shown) if shown in PICTURES else None
        return Asked(kind, {}, "yes" if shown == FACE else "no") if shown in (FACE, TEXTURE) else None


def photo_scene(rng: Random, kind: str, want: str | None) -> Scene:
    """A photograph's crop over the whole image, or a crop with or without a face of 4 to 8 cells a side."""
    if kind == "picture":
        return Scene((Item(want or rng.choice(PICTURES), "none", 0, 0, GRID, GRID),))
    size = rng.choice((4, 6, 8))
    row, col = (2 * rng.randint(0, (GRID - size) // 2) for _ in range(2))
    shown = {"yes": FACE, "no": TEXTURE}[want or rng.choice(("yes", "no"))]
    return Scene((Item(shown, "none", row, col, size, size),))
