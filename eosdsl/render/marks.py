"""Labels as marks in cells of the terminal, and the window of a very long line that is shown."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from eosdsl.diagnostics import Label
from eosdsl.render.cells import Shown, clean, show
from eosdsl.source import SourceFile

LONGEST = 160  # cells of a source line that are shown


@dataclass(frozen=True)
class Mark:
    """A label in cells: from cell `start` of line `line` up to cell `end` (not included) of line `end_line`."""

    line: int
    end_line: int
    start: int
    end: int
    text: str
    primary: bool

    @property
    def is_multi(self) -> bool:
        return self.end_line > self.line


def mark_of(source: SourceFile, label: Label, primary: bool) -> Mark:
    """The mark of a label. An end at the very start of a line belongs to the line before."""
    start = _clamped(source, label.span.start)
    end = max(start, _clamped(source, label.span.end))
    line, column = source.line_column(start)
    end_line, end_column = source.line_column(end)
    if end_line > line and end_column == 1:
        end_line -= 1
        end_column = len(source.line_text(end_line)) + 1
    first = show(source.line_text(line)).cell(column)
    last = show(source.line_text(end_line)).cell(end_column)
    least = first + 1 if end_line == line else 1
    return Mark(line, end_line, first, max(last, least), clean(label.text), primary)


def _clamped(source: SourceFile, offset: int) -> int:
    return min(max(offset, 0), len(source.text))


@dataclass(frozen=True)
class Window:
    """Characters `first` to `last` of a line, the part that is shown; `lead` stands for what was cut before it."""

    first: int
    last: int
    offset: int = 0
    lead: str = ""

    @staticmethod
    def around(shown: Shown, cells: Sequence[int]) -> Window:
        """All of a line of usual length; else a stretch from a little before the first of the marked cells."""
        length = len(shown.pieces)
        if shown.cells[-1] <= LONGEST:
            return Window(0, length)
        wanted = max(min(cells, default=0) - LONGEST // 4, 0)
        first = bisect_left(shown.cells, wanted)
        last = bisect_right(shown.cells, shown.cells[first] + LONGEST) - 1
        return Window(first, last, shown.cells[first], "…" if first else "")

    def cut(self, shown: Shown) -> str:
        """The visible stretch of the line, with dots where it was cut."""
        tail = "…" if self.last < len(shown.pieces) else ""
        return self.lead + "".join(shown.pieces[self.first : self.last]) + tail

    def at(self, cell: int) -> int:
        """A cell of the whole line as a cell of the stretch."""
        return min(max(cell - self.offset, 0), LONGEST) + len(self.lead)
