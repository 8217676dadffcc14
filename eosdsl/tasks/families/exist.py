"""Is a described object there? Negatives are random, popular (a frequent shape) or adversarial (half is there)."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import any_thing, object_scene
from eosdsl.tasks.scene import COLORS, GRAY, SHAPES, Scene, Thing


class Exist(Family):
    name = "exist"
    mirrors = "POPE"
    breaks = "the object's tokens are dropped"
    answers: ClassVar[Choices] = {"exist": ("yes", "no")}
    cores: ClassVar[Choices] = {"exist": ("is there a {thing}", "do you see a {thing}")}

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (object_scene(rng, difficulty),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        scene = scenes[0]
        answer = want or rng.choice(("yes", "no"))
        thing, negative = (_present(scene, rng), None) if answer == "yes" else _absent(scene, rng)
        if thing is None:
            return None
        return Asked(kind, {"thing": thing.text}, answer, {"negative": negative} if negative else {})


def _present(scene: Scene, rng: Random) -> Thing | None:
    shapes = [item for item in scene.items if item.color != GRAY and item.kind in SHAPES]
    if not shapes:
        return None
    item = rng.choice(shapes)
    return rng.choice((Thing(item.kind, item.color), Thing(item.kind, item.color), Thing(item.kind)))


def _absent(scene: Scene, rng: Random) -> tuple[Thing | None, str]:
    mode = rng.choice(("random", "popular", "adversarial"))
    for _ in range(20):
        thing = _candidate(scene, rng, mode)
        if thing.kind is not None and not scene.having(thing):
            return thing, mode
    return None, mode


def _candidate(scene: Scene, rng: Random, mode: str) -> Thing:
    if mode == "random":
        return any_thing(rng)
    if mode == "popular":
        kind = rng.choice(SHAPES[:2])
        return Thing(kind, rng.choice((None, *COLORS)))
    there = rng.choice([item for item in scene.items if item.color != GRAY])
    if rng.random() < 0.5 and there.kind in SHAPES:
        return Thing(there.kind, rng.choice(COLORS))
    return Thing(rng.choice(SHAPES), there.color)
