"""Colour or shape of the one object that a description fits."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import object_scene
from eosdsl.tasks.scene import COLORS, GRAY, SHAPES, Scene, Thing


class Attr(Family):
    name = "attr"
    mirrors = "GQA attributes"
    breaks = "the question decides which object matters: text-blind pruning drops the wrong ones"
    answers: ClassVar[Choices] = {"color": COLORS, "shape": SHAPES}
    cores: ClassVar[Choices] = {
        "color": ("what color is the {thing}", "what is the color of the {thing}"),
        "shape": ("what shape is the {thing}", "what is the shape of the {thing}"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        shapes = [item for item in scene.items if item.color != GRAY and item.kind in SHAPES]
        rng.shuffle(shapes)
        for item in shapes:
            thing, answer = (Thing(item.kind), item.color) if kind == "color" else (Thing(color=item.color), item.kind)
            if want in (None, answer) and len(scene.having(thing)) == 1:
                return Asked(kind, {"thing": thing.text}, answer)
        return None
