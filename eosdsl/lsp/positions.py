"""Places in a text as editors count them: lines and code units, in the encoding that client and server agreed on.

Inside eosdsl a place is an offset in characters. The protocol counts lines that end with LF, CRLF or CR (and nothing
else), and within a line the code units of UTF-16 unless the client offers another encoding.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

Encoding = Literal["utf-8", "utf-16", "utf-32"]

_LINE_END = re.compile(r"\r\n|\n|\r")


class Position(NamedTuple):
    """A 0-based line, and a 0-based count of code units in it."""

    line: int
    character: int


@dataclass(frozen=True)
class Lines:
    """The lines of a text."""

    text: str

    @cached_property
    def _bounds(self) -> tuple[list[int], list[int]]:
        """Where every line starts, and where it stops, its line end not counted."""
        starts, stops = [0], list[int]()
        for end in _LINE_END.finditer(self.text):
            stops.append(end.start())
            starts.append(end.end())
        return starts, [*stops, len(self.text)]

    def position(self, offset: int, encoding: Encoding) -> Position:
        """The position of an offset. One inside a CRLF is the end of its line."""
        starts, stops = self._bounds
        offset = min(max(offset, 0), len(self.text))
        line = bisect_right(starts, offset) - 1
        return Position(line, _units(self.text[starts[line] : min(offset, stops[line])], encoding))

    def offset(self, position: Position, encoding: Encoding) -> int:
        """The offset of a position. Beyond the end of a line is its end, beyond the last line that of the text."""
        starts, stops = self._bounds
        if position.line >= len(starts):
            return len(self.text)
        start, stop = starts[max(position.line, 0)], stops[max(position.line, 0)]
        if encoding == "utf-32":
            return min(start + max(position.character, 0), stop)
        left = position.character
        for offset in range(start, stop):
            left -= _units(self.text[offset], encoding)
            if left < 0:  # inside a character is before it
                return offset
        return stop


def _units(text: str, encoding: Encoding) -> int:
    """Code units of a text. A lone surrogate counts as one unit of UTF-16, three of UTF-8."""
    if encoding == "utf-32":
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(character > "\uffff" for character in text)
