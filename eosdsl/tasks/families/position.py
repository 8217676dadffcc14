"""In which row and column (of six each, from the top left) does an object stand?"""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import changed, object_scene, shapes_of, unique
from eosdsl.tasks.scene import BANDS, GRAY, Scene

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
        scene = object_scene(rng, difficulty)
        block = _block(want)
        shapes = shapes_of(scene)
        if block is None or not shapes or any(item.block == block for item in scene.items if item.color != GRAY):
            return (scene,)
        moved = rng.choice(shapes)
        row, col = 2 * block[0] - 2 + moved.row % 2, 2 * block[1] - 2 + moved.col % 2
        return (changed(scene, moved, replace(moved, row=row, col=col)),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        thing = unique(scenes[0], rng, _block(want))
        if thing is None:
            return None
        row, col = scenes[0].having(thing)[0].block
        return Asked(kind, {"thing": thing.text}, f"{row} {col}")


def _block(want: str | None) -> tuple[int, int] | None:
    if want is None:
        return None
    row, col = map(int, want.split())
    return row, col
