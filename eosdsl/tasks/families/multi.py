"""Two images or more: which of them has the object, which has more of them?"""

from __future__ import annotations

from collections.abc import Sequence
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
        "which": ("which image has a {thing}", "is the {thing} in image {numbers}"),
        "more": ("which image has more {things}", "are there more {things} in image {numbers}"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return tuple(object_scene(rng, difficulty) for _ in range(difficulty.images))

    def choices(self, difficulty: Difficulty) -> Choices:
        return dict.fromkeys(self.answers, _numbers(difficulty.images))

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        numbers = _numbers(len(scenes))
        answer = want or rng.choice(numbers)
        has, lacks = scenes[int(answer) - 1], [one for at, one in enumerate(scenes, 1) if at != int(answer)]
        thing = _only(has, lacks, rng) if kind == "which" else _more(has, lacks, rng)
        if thing is None:
            return None
        slots = {"thing": thing.text} if kind == "which" else {"things": thing.plural}
        return Asked(kind, {**slots, "numbers": f"{' , '.join(numbers[:-1])} or {numbers[-1]}"}, answer)


def _numbers(images: int) -> tuple[str, ...]:
    return tuple(str(number) for number in range(1, images + 1))


def _only(has: Scene, lacks: Sequence[Scene], rng: Random) -> Thing | None:
    shapes = [item for item in has.items if item.color != GRAY and item.kind in SHAPES]
    rng.shuffle(shapes)
    for item in shapes:
        for thing in (Thing(item.kind, item.color), Thing(item.kind)):
            if not any(one.having(thing) for one in lacks):
                return thing
    return None


def _more(has: Scene, lacks: Sequence[Scene], rng: Random) -> Thing | None:
    for _ in range(12):
        thing = any_thing(rng)
        if len(has.having(thing)) > max(len(one.having(thing)) for one in lacks):
            return thing
    return None
