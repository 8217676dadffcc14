"""A scene: what is in an image, before it is drawn. Answers are computed from here, never from pixels.

The world is a grid of `GRID` x `GRID` cells; a cell is one patch of the small models (8 x 8 pixels of 96 x 96).
Objects of one or two cells stand inside aligned blocks of 2 x 2 cells, so that none overlap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from random import Random
from typing import Any

GRID = 12
"""Cells a side."""
BANDS = GRID // 2
"""Blocks a side: the rows and columns that position questions speak of, from 1."""

SHAPES = ("circle", "square", "triangle", "cross", "ring", "star")
SHAPE_WEIGHTS = (3, 3, 2, 2, 1, 1)
"""How often a shape occurs: the first ones are the popular ones that tempt a model to say yes."""
DIGITS = tuple("0123456789")
LETTERS = tuple("cefhklmptuxz")
"""Drawn as capitals. No `a` and no `i`: those are words of questions."""
COLORS = ("red", "green", "blue", "yellow", "purple", "cyan", "white")
GRAY = "gray"
"""The colour of clutter; never asked for."""
PICTURES = ("astronaut", "cat", "coffee", "rocket", "flower", "temple", "motorcycle", "galaxies")
FACE, TEXTURE, BAR = "face", "texture", "bar"

KINDS = ("none", *SHAPES, *DIGITS, *LETTERS, BAR, FACE, TEXTURE, *PICTURES)
"""Label of a cell by what is drawn there; index 0 is the empty background."""
CELL_COLORS = ("none", *COLORS, GRAY)
PARTS = ("none", "first", "rest")
"""An object's top left cell is its first; the others are the rest of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in a scene: `row`, `col` of its top left cell, `height` and `width` in cells."""

    kind: str
    color: str
    row: int
    col: int
    height: int = 1
    width: int = 1

    @property
    def block(self) -> tuple[int, int]:
        """Row and column of the block it stands in, from 1."""
        return self.row // 2 + 1, self.col // 2 + 1


@dataclass(frozen=True, slots=True)
class Scene:
    """Things in drawing order, on a canvas of `grid` x `grid` cells."""

    items: tuple[Item, ...]
    grid: int = GRID

    def having(self, thing: Thing) -> list[Item]:
        """The things that fit a description."""
        return [item for item in self.items if thing.fits(item)]

    def as_meta(self) -> list[dict[str, Any]]:
        """Plain data for an example's `meta`."""
        return [asdict(item) for item in self.items]


@dataclass(frozen=True, slots=True)
class Thing:
    """A description in a question: a kind, a colour or both. Clutter fits none."""

    kind: str | None = None
    color: str | None = None

    def fits(self, item: Item) -> bool:
        if item.color == GRAY:
            return False
        return self.kind in (None, item.kind) and self.color in (None, item.color)

    @property
    def text(self) -> str:
        """`red circle`, `circle` or `red object`."""
        noun = self.kind or "object"
        return f"{self.color} {noun}" if self.color else noun

    @property
    def plural(self) -> str:
        noun = {"cross": "crosses"}.get(self.kind or "object", f"{self.kind or 'object'}s")
        return f"{self.color} {noun}" if self.color else noun


def labels(scene: Scene) -> tuple[list[int], list[int], list[int]]:
    """Kind, colour and part of every cell in reading order: three lists of GRID * GRID indices. Of a canvas of that
    size only: larger ones are not trained on."""
    assert scene.grid == GRID
    kinds, colors, parts = ([0] * (GRID * GRID) for _ in range(3))
    for item in scene.items:
        kind, color = KINDS.index(item.kind), CELL_COLORS.index(item.color)
        for row in range(item.row, item.row + item.height):
            for col in range(item.col, item.col + item.width):
                cell = row * GRID + col
                kinds[cell], colors[cell] = kind, color
                parts[cell] = 1 if (row, col) == (item.row, item.col) else 2
    return kinds, colors, parts


def in_block(kind: str, color: str, block: int, size: int, rng: Random, bands: int = BANDS) -> Item:
    """An object of `size` cells a side inside a block (numbered in reading order, `bands` a row)."""
    row, col = divmod(block, bands)
    if size == 2:
        return Item(kind, color, 2 * row, 2 * col, 2, 2)
    return Item(kind, color, 2 * row + rng.randrange(2), 2 * col + rng.randrange(2))


def free_blocks(items: Sequence[Item], rng: Random) -> list[int]:
    """Blocks without an object, shuffled."""
    taken = {(item.row // 2) * BANDS + item.col // 2 for item in items}
    blocks = [block for block in range(BANDS * BANDS) if block not in taken]
    rng.shuffle(blocks)
    return blocks
