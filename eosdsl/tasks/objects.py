"""Scenes of coloured shapes and digits, which six families ask about."""

from __future__ import annotations

from random import Random

from eosdsl.tasks.base import Difficulty
from eosdsl.tasks.scene import (
    BANDS,
    COLORS,
    DIGITS,
    GRAY,
    SHAPE_WEIGHTS,
    SHAPES,
    Item,
    Scene,
    Thing,
    free_blocks,
    in_block,
)


def object_scene(rng: Random, difficulty: Difficulty) -> Scene:
    """A scene of `difficulty.objects` shapes and digits. Half of the scenes draw from few kinds and colours, so that
    things repeat and counting has something to count."""
    low, high = difficulty.objects
    number = rng.randint(low, high)
    kinds = rng.choices(SHAPES, SHAPE_WEIGHTS, k=number)
    colors = rng.choices(COLORS, k=number)
    if rng.random() < 0.5:
        few_kinds, few_colors = rng.sample(SHAPES, rng.randint(1, 3)), rng.sample(COLORS, rng.randint(1, 3))
        kinds, colors = rng.choices(few_kinds, k=number), rng.choices(few_colors, k=number)
    kinds = [rng.choice(DIGITS) if rng.random() < 0.12 else kind for kind in kinds]
    return place(list(zip(kinds, colors, strict=True)), rng, difficulty)


def place(things: list[tuple[str, str]], rng: Random, difficulty: Difficulty) -> Scene:
    """Put (kind, colour) pairs into blocks of their own, and clutter into some of those that are left."""
    blocks = rng.sample(range(BANDS * BANDS), len(things))
    items = [
        in_block(kind, color, block, 1 if rng.random() < difficulty.small else 2, rng)
        for (kind, color), block in zip(things, blocks, strict=True)
    ]
    return Scene((*clutter(items, rng, difficulty), *items))


def clutter(items: list[Item], rng: Random, difficulty: Difficulty) -> list[Item]:
    """Grey shapes in a share of the free blocks."""
    free = free_blocks(items, rng)
    number = round(difficulty.clutter * len(free))
    return [in_block(rng.choice(SHAPES), GRAY, block, rng.choice((1, 1, 2)), rng) for block in free[:number]]


def shapes_of(scene: Scene) -> list[Item]:
    """The shapes that questions may be about: no clutter, no digits."""
    return [item for item in scene.items if item.color != GRAY and item.kind in SHAPES]


def changed(scene: Scene, old: Item, new: Item) -> Scene:
    """The scene with one thing in place of another; clutter that stood in its block gives way."""
    kept = [item for item in scene.items if item is not old and (item.color != GRAY or item.block != new.block)]
    return Scene((*kept, new))


def unique(scene: Scene, rng: Random, block: tuple[int, int] | None = None) -> Thing | None:
    """A description that fits exactly one shape of the scene (standing in `block`): its kind, its colour, or both."""
    shapes = [item for item in shapes_of(scene) if block in (None, item.block)]
    rng.shuffle(shapes)
    for item in shapes:
        things = [Thing(item.kind, item.color), Thing(item.kind), Thing(color=item.color)]
        fitting = [thing for thing in things if len(scene.having(thing)) == 1]
        if fitting:
            return rng.choice(fitting)
    return None


def any_thing(rng: Random) -> Thing:
    """A random description of a colour, a shape or both."""
    form = rng.randrange(3)
    if form == 0:
        return Thing(color=rng.choice(COLORS))
    kind = rng.choice(SHAPES)
    return Thing(kind) if form == 1 else Thing(kind, rng.choice(COLORS))
