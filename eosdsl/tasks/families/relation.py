"""Is one object left of, right of, above or below another? The two differ by a block or more in that direction."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import object_scene
from eosdsl.tasks.scene import GRAY, SHAPES, Item, Scene, Thing

_YES_NO = ("yes", "no")


class Relation(Family):
    name = "relation"
    mirrors = "GQA relations"
    breaks = "two objects and their positions: what happens to positions after a cut shows here"
    answers: ClassVar[Choices] = {"left": _YES_NO, "right": _YES_NO, "above": _YES_NO, "below": _YES_NO}
    cores: ClassVar[Choices] = {
        "left": ("is the {a} left of the {b}", "do you see the {a} left of the {b}"),
        "right": ("is the {a} right of the {b}", "do you see the {a} right of the {b}"),
        "above": ("is the {a} above the {b}", "do you see the {a} above the {b}"),
        "below": ("is the {a} below the {b}", "do you see the {a} below the {b}"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        shapes = [item for item in scene.items if item.color != GRAY and item.kind in SHAPES]
        single = [item for item in shapes if len(scene.having(Thing(item.kind, item.color))) == 1]
        answer = want or rng.choice(_YES_NO)
        for _ in range(10 if len(single) > 1 else 0):
            a, b = rng.sample(single, 2)
            if _holds(kind, a, b) is (answer == "yes") and _apart(kind, a, b):
                return Asked(kind, {"a": Thing(a.kind, a.color).text, "b": Thing(b.kind, b.color).text}, answer)
        return None


def _apart(kind: str, a: Item, b: Item) -> bool:
    axis = 1 if kind in ("left", "right") else 0
    return a.block[axis] != b.block[axis]


def _holds(kind: str, a: Item, b: Item) -> bool:
    (row_a, col_a), (row_b, col_b) = a.block, b.block
    return {"left": col_a < col_b, "right": col_a > col_b, "above": row_a < row_b, "below": row_a > row_b}[kind]
