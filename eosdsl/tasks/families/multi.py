"""Two images: which of them has the object, which has more of them?"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import any_thing, object_scene
from eosdsl.tasks.scene import GRAY, SHAPES, Scene, Thing


class Multi(Family):
    name = "multi"
    mirrors = "multi-image benchmarks (BLINK, MuirBench)"
    breaks = "what one image may lose depends on the question and on the other image"
    images = 2
    answers: ClassVar[Choices] = {"which": ("1", "2"), "more": ("1", "2")}
    cores: ClassVar[Choices] = {
        "which": ("which image has a {thing}", "is the {thing} in image 1 or 2"),
        "more": ("which image has more {things}", "are there more {things} in image 1 or 2"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return object_scene(rng, difficulty), object_scene(rng, difficulty)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        answer = want or rng.choice(("1", "2"))
        has, lacks = scenes if answer == "1" else scenes[::-1]
        thing = _only(has, lacks, rng) if kind == "which" else _more(has, lacks, rng)
        if thing is None:
            return None
        return Asked(kind, {"thing": thing.text} if kind == "which" else {"things": thing.plural}, answer)


def _only(has: Scene, lacks: Scene, rng: Random) -> Thing | None:
    shapes = [item for item in has.items if item.color != GRAY and item.kind in SHAPES]
    rng.shuffle(shapes)
    for item in shapes:
        for thing in (Thing(item.kind, item.color), Thing(item.kind)):
            if not lacks.having(thing):
                return thing
    return None


def _more(has: Scene, lacks: Scene, rng: Random) -> Thing | None:
    for _ in range(12):
        thing = any_thing(rng)
        if len(has.having(thing)) > len(lacks.having(thing)):
            return thing
    return None
