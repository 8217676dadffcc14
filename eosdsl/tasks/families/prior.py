"""The answer stands in the question: a control on which the image contributes nothing."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import object_scene
from eosdsl.tasks.scene import COLORS, SHAPES, Scene


class Prior(Family):
    name = "prior"
    mirrors = "ScienceQA"
    breaks = "nothing: a model that loses here has forgotten how to read the question"
    needs_image = False
    answers: ClassVar[Choices] = {"told": COLORS}
    cores: ClassVar[Choices] = {
        "told": (
            "the {a} is {color} and the {b} is {other} , what color is the {a}",
            "the {b} is {other} and the {a} is {color} , what color is the {a}",
        )
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        a, b = rng.sample(SHAPES, 2)
        color = want or rng.choice(COLORS)
        other = rng.choice([name for name in COLORS if name != color])
        return Asked(kind, {"a": a, "b": b, "color": color, "other": other}, color)
