"""A labelled diagram: parts with a letter at the right of each; which letter has a part?"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.objects import clutter
from eosdsl.tasks.scene import BANDS, COLORS, GRAY, GRID, LETTERS, SHAPES, Item, Scene, Thing

_PARTS = (3, 6)
"""So many parts a diagram; there are six shapes, and each is there once."""


class Diagram(Family):
    name = "diagram"
    mirrors = "AI2D"
    breaks = "a part and its label are two tokens, of use together only"
    answers: ClassVar[Choices] = {"label": LETTERS}
    cores: ClassVar[Choices] = {
        "label": ("which word has the {thing}", "what is the word of the {thing}"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (diagram_scene(rng, difficulty, want),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        pairs = [pair for pair in labelled(scenes[0]) if want in (None, pair[1].kind)]
        if not pairs:
            return None
        part, label = rng.choice(pairs)
        thing = rng.choice((Thing(part.kind), Thing(part.kind, part.color), Thing(color=part.color)))
        if len(scenes[0].having(thing)) != 2 - (thing.kind is not None):
            return None  # a colour alone fits a part and its label
        return Asked(kind, {"thing": thing.text}, label.kind)


def labelled(scene: Scene) -> list[tuple[Item, Item]]:
    """Parts with their labels: the letters that begin where a part ends."""
    letters = {(item.row, item.col): item for item in scene.items if item.kind in LETTERS and item.color != GRAY}
    parts = [item for item in scene.items if item.kind in SHAPES and item.color != GRAY]
    return [(part, letters[part.row, part.col + part.width]) for part in parts]


def diagram_scene(rng: Random, difficulty: Difficulty, want: str | None = None) -> Scene:
    """Three to six parts, each with a letter of its own in its own colour; `want`, a letter, is among them.
    Parts are of one cell, or of two with the letter beside their first row."""
    low, high = _PARTS
    number = rng.randint(low, min(high, max(low, difficulty.objects[1] - 2)))
    shapes, letters = rng.sample(SHAPES, number), _with(want, number, rng)
    items: list[Item] = []
    for shape, letter, place in zip(shapes, letters, rng.sample(range(BANDS * BANDS // 2), number), strict=True):
        band, third = divmod(place, BANDS // 2)
        size = 1 if rng.random() < difficulty.small else 2
        row = 2 * band + (rng.randrange(2) if size == 1 else 0)
        col = GRID // 3 * third + rng.randint(0, 3 - size)
        color = rng.choice(COLORS)
        items += [Item(shape, color, row, col, size, size), Item(letter, color, row, col + size)]
    return Scene((*clutter(items, rng, difficulty), *items))


def _with(want: str | None, number: int, rng: Random) -> list[str]:
    """So many letters, `want` among them."""
    others = rng.sample([name for name in LETTERS if name != want], number - (want is not None))
    return others if want is None else [*others, want]
