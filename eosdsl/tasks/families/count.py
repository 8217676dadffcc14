"""How many objects fit a description? Zero to eight."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import any_thing, object_scene, place
from eosdsl.tasks.scene import COLORS, DIGITS, SHAPES, Scene

_MOST = 8


class Count(Family):
    name = "count"
    mirrors = "MME count"
    breaks = "merging makes one token of several objects, pruning drops some: nothing else may be kept in their place"
    answers: ClassVar[Choices] = {"count": DIGITS[: _MOST + 1]}
    cores: ClassVar[Choices] = {"count": ("how many {things} are there", "what is the number of {things}")}

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        if want is None or want == "0":
            return (object_scene(rng, difficulty),)
        target = any_thing(rng)
        same = [(target.kind or rng.choice(SHAPES), target.color or rng.choice(COLORS)) for _ in range(int(want))]
        others = [
            (rng.choice(SHAPES), rng.choice(COLORS)) for _ in range(rng.randint(0, max(2, difficulty.objects[1] // 2)))
        ]
        return (place(same + others, rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        for _ in range(12):
            thing = any_thing(rng)
            number = len(scene.having(thing))
            if number <= _MOST and want in (None, str(number)):
                return Asked(kind, {"things": thing.plural}, str(number))
        return None
