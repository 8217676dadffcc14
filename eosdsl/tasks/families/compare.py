"""Are there more of these than of those? The numbers differ."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import object_scene
from eosdsl.tasks.scene import COLORS, SHAPES, Scene, Thing


class Compare(Family):
    name = "compare"
    mirrors = "CLEVR comparison"
    breaks = "the numbers of two groups over the whole image"
    answers: ClassVar[Choices] = {"more": ("yes", "no")}
    cores: ClassVar[Choices] = {"more": ("are there more {a} than {b}", "do you see more {a} than {b}")}

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        answer = want or rng.choice(("yes", "no"))
        for _ in range(12):
            a, b = _pair(rng)
            more = len(scene.having(a)) - len(scene.having(b))
            if more != 0 and (more > 0) is (answer == "yes"):
                return Asked(kind, {"a": a.plural, "b": b.plural}, answer)
        return None


def _pair(rng: Random) -> tuple[Thing, Thing]:
    if rng.random() < 0.5:
        a, b = rng.sample(COLORS, 2)
        return Thing(color=a), Thing(color=b)
    a, b = rng.sample(SHAPES, 2)
    return Thing(a), Thing(b)
