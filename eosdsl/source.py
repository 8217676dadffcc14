"""Source text and places in it.

A span is a half-open range of characters, with the line and column it starts and ends at (1-based, in characters),
so that whoever holds a span can report it without holding the text.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, init=False)
class Span:
    """A range of characters of one file. `file` is empty for the text at hand, a path for a file taken in by `use`."""

    start: int
    end: int
    line: int
    column: int
    end_line: int
    end_column: int
    file: str = ""

    def __init__(
        self, start: int, end: int, line: int, column: int, end_line: int, end_column: int, file: str = ""
    ) -> None:
        # what the dataclass would write takes twice as long, and every word of a spec has a span
        _set_start(self, start)
        _set_end(self, end)
        _set_line(self, line)
        _set_column(self, column)
        _set_end_line(self, end_line)
        _set_end_column(self, end_column)
        _set_file(self, file)

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.start, other.end, self.line, self.column, other.end_line, other.end_column, self.file)


_SET: list[Callable[[Span, object], None]] = [Span.__dict__[name].__set__ for name in Span.__match_args__]
_set_start, _set_end, _set_line, _set_column, _set_end_line, _set_end_column, _set_file = _SET


@dataclass(frozen=True)
class SourceFile:
    """A named text. `name` is what diagnostics print: a path, `<text>` or `<stdin>`."""

    name: str
    text: str
    path: Path | None = None
    _line_starts: tuple[int, ...] = field(init=False, repr=False, compare=False, default=())

    def __post_init__(self) -> None:
        starts = [0]
        starts.extend(i + 1 for i, character in enumerate(self.text) if character == "\n")
        object.__setattr__(self, "_line_starts", tuple(starts))

    def line_column(self, offset: int) -> tuple[int, int]:
        """1-based line and column of a character offset."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def span(self, start: int, end: int) -> Span:
        """The span of characters `start` to `end` (half-open)."""
        line, column = self.line_column(start)
        end_line, end_column = self.line_column(end)
        return Span(start, end, line, column, end_line, end_column)

    def line_text(self, line: int) -> str:
        """The text of a 1-based line, without its line end."""
        start = self._line_starts[line - 1]
        stop = self._line_starts[line] if line < len(self._line_starts) else len(self.text)
        return self.text[start:stop].rstrip("\r\n")
