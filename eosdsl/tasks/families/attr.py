"""Colour or shape of the one object that a description fits."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import changed, object_scene, shapes_of
from eosdsl.tasks.scene import COLORS, SHAPES, Scene, Thing


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
        scene = object_scene(rng, difficulty)
        shapes = shapes_of(scene)
        if want is None or not shapes:
            return (scene,)
        old = rng.choice(shapes)
        return (changed(scene, old, replace(old, color=want) if kind == "color" else replace(old, kind=want)),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        shapes = shapes_of(scene)
        rng.shuffle(shapes)
        for item in shapes:
            thing, answer = (Thing(item.kind), item.color) if kind == "color" else (Thing(color=item.color), item.kind)
            if want in (None, answer) and len(scene.having(thing)) == 1:
                return Asked(kind, {"thing": thing.text}, answer)
        return None
