"""Read a number of real handwritten digits, or a word of printed capitals, of a given colour."""

from __future__ import annotations

from random import Random
from typing import ClassVar

from eosdsl.tasks.base import Asked, Choices, Difficulty, Family
from eosdsl.tasks.scene import BANDS, COLORS, DIGITS, GRID, LETTERS, Item, Scene

_LINES = 4
"""At most so many lines in one image."""


class Ocr(Family):
    name = "ocr"
    mirrors = "TextVQA, OCRBench"
    breaks = "fine detail everywhere: pooling mixes glyphs, pruning loses some"
    answers: ClassVar[Choices] = {"number": (), "word": ()}
    cores: ClassVar[Choices] = {
        "number": ("what is the {color} number", "what does the {color} number say"),
        "word": ("what is the {color} word", "what does the {color} word say"),
    }

    def scenes(self, rng: Random, difficulty: Difficulty, kind: str, want: str | None) -> tuple[Scene, ...]:
        return (text_scene(rng, difficulty, kind),)

    def ask(self, scenes: tuple[Scene, ...], rng: Random, kind: str, want: str | None) -> Asked | None:
        alphabet = DIGITS if kind == "number" else LETTERS
        colors = list(dict.fromkeys(item.color for item in scenes[0].items if item.kind in alphabet))
        if not colors:
            return None
        color = rng.choice(colors)
        glyphs = sorted((item.col, item.kind) for item in scenes[0].items if item.color == color)
        return Asked(kind, {"color": color}, " ".join(kind for _, kind in glyphs))


def text_scene(rng: Random, difficulty: Difficulty, kind: str | None = None) -> Scene:
    """Lines of one colour each, in rows of their own; the first is of `kind`."""
    number = rng.randint(2, _LINES)
    colors = rng.sample(COLORS, number)
    bands = rng.sample(range(BANDS), number)
    items: list[Item] = []
    for line, (color, band) in enumerate(zip(colors, bands, strict=True)):
        numeric = kind == "number" if line == 0 and kind else rng.random() < 0.5
        items += _line(color, band, DIGITS if numeric else LETTERS, rng, difficulty)
    return Scene(tuple(items))


def _line(color: str, band: int, alphabet: tuple[str, ...], rng: Random, difficulty: Difficulty) -> list[Item]:
    glyphs = rng.choices(alphabet, k=rng.randint(*difficulty.length))
    if rng.random() < difficulty.small:
        start, row = rng.randint(0, GRID - len(glyphs)), 2 * band + rng.randrange(2)
        return [Item(glyph, color, row, start + i) for i, glyph in enumerate(glyphs)]
    start = rng.randint(0, BANDS - len(glyphs))
    return [Item(glyph, color, 2 * band, 2 * (start + i), 2, 2) for i, glyph in enumerate(glyphs)]
