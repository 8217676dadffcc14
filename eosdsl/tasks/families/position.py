"""In which row and column (of six each, from the top left) does an object stand?"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import object_scene, unique
from eosdsl.tasks.scene import BANDS, Scene

_PLACES = tuple(f"{row} {col}" for row in range(1, BANDS + 1) for col in range(1, BANDS + 1))


class Position(Family):
    name = "position"
    mirrors = "RefCOCO, in words"
    breaks = "re-indexing positions after a cut moves every object"
    answers: ClassVar[Choices] = {
        "where": tuple(f"{row} {col}" for row in range(1, BANDS + 1) for col in range(1, BANDS + 1))
    }
    cores: ClassVar[Choices] = {"where": ("where is the {thing}", "what is the place of the {thing}")}

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        for _ in range(8):
            thing = unique(scene, rng)
            if thing is None:
                return None
            row, col = scene.having(thing)[0].block
            if want in (None, f"{row} {col}"):
                return Asked(kind, {"thing": thing.text}, f"{row} {col}")
        return None
