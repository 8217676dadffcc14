"""How wide text is on a terminal: tabs, wide and combining characters, and characters that must not reach it."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

TAB = 4


@dataclass(frozen=True)
class Shown:
    """A printed line: `pieces[i]` stands for character i of the source and starts in cell `cells[i]` (0-based).

    `cells` has one entry more, for the end of the line.
    """

    pieces: tuple[str, ...]
    cells: tuple[int, ...]

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def cell(self, column: int) -> int:
        """The cell of a 1-based source column; columns past the end are at the end."""
        return self.cells[min(max(column - 1, 0), len(self.cells) - 1)]


@lru_cache(maxsize=32)  # many findings on one long line
def show(line: str) -> Shown:
    """A source line with tabs expanded and control and direction characters replaced by visible ones."""
    pieces: list[str] = []
    cells: list[int] = []
    cell = 0
    for character in line:
        cells.append(cell)
        piece = " " * (TAB - cell % TAB) if character == "\t" else visible(character)
        pieces.append(piece)
        cell += sum(map(width, piece))
    return Shown(tuple(pieces), (*cells, cell))


def visible(character: str) -> str:
    """The character, or a stand-in where printing it would move the cursor, hide text or reverse it."""
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character != "\u200d":
        return "\ufffd"
    return character


def clean(text: str) -> str:
    """A message with every character printable; line ends stay."""
    return "".join(character if character == "\n" else visible(character) for character in text)


def width(character: str) -> int:
    """Cells that one character takes: 2 for East Asian wide ones and most emoji, 0 for combining marks."""
    if character < "\x7f":
        return 1
    if unicodedata.category(character) in ("Mn", "Me") or character == "\u200d":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1
