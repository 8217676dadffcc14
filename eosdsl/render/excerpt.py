"""The piece of source under a diagnostic: numbered lines, carets under the spans, labels after or below the carets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from eosdsl.diagnostics import Label, Severity
from eosdsl.render.cells import show
from eosdsl.render.marks import Mark, Window, mark_of
from eosdsl.render.style import Style
from eosdsl.source import SourceFile

TALLEST = 7  # lines of a multi-line span that are shown in full


@dataclass(frozen=True)
class Row:
    """One printed row: the line number (None beside carets), and the painted text."""

    number: int | None
    text: str
    is_elision: bool = False


ELISION = Row(None, "...", is_elision=True)


def excerpt(source: SourceFile, labels: Sequence[tuple[Label, bool]], severity: Severity, style: Style) -> list[Row]:
    """Rows for labels of one file; each label comes with whether it is primary (carets) or secondary (dashes)."""
    marks = [mark_of(source, label, primary) for label, primary in labels]
    return _Painter(source, marks, severity, style).rows()


class _Painter:
    """Builds the rows: state is which multi-line marks are open."""

    def __init__(self, source: SourceFile, marks: list[Mark], severity: Severity, style: Style) -> None:
        self.source, self.severity, self.style = source, severity, style
        self.multi = sorted((m for m in marks if m.is_multi), key=lambda m: (m.line, -m.end_line))
        self.single = [m for m in marks if not m.is_multi]
        self.open: list[str] = [" "] * len(self.multi)  # one column a multi-line mark

    def rows(self) -> list[Row]:
        rows: list[Row] = []
        before = 0
        for line in self._lines():
            if before and line > before + 1:
                rows.append(ELISION)
            rows.extend(self._line(line))
            before = line
        return rows

    def _lines(self) -> list[int]:
        """Lines to show: all that carry a mark, the inside of multi-line marks while short, and gaps of one line."""
        wanted = {m.line for m in self.single}
        for mark in self.multi:
            inside = range(mark.line, mark.end_line + 1)
            wanted.update(inside if len(inside) <= TALLEST else (*inside[:2], *inside[-2:]))
        wanted.update(line + 1 for line in tuple(wanted) if line + 2 in wanted)
        return sorted(wanted)

    def _line(self, line: int) -> Iterable[Row]:
        shown = show(self.source.line_text(line))
        singles = [m for m in self.single if m.line == line]
        starting = [i for i, m in enumerate(self.multi) if m.line == line]
        ending = [i for i, m in enumerate(self.multi) if m.end_line == line]
        marked = [m.start for m in (*singles, *(self.multi[i] for i in starting))]
        window = Window.around(shown, marked or [self.multi[i].end - 1 for i in ending])
        slashed = [i for i in starting if not shown.text[: self.multi[i].start].strip()]
        for i in slashed:
            self.open[i] = "/"
        yield Row(line, (self._bars() + window.cut(shown)).rstrip())
        for i in slashed:
            self.open[i] = "|"
        for i in starting:
            if i not in slashed:
                yield self._turn(i, " ", window.at(self.multi[i].start), "")
                self.open[i] = "|"
        for text in self._below(singles, window):
            yield Row(None, (self._bars() + text).rstrip())
        for i in ending:
            yield self._turn(i, "|", window.at(self.multi[i].end - 1), self.multi[i].text)
            self.open[i] = " "

    def _bars(self) -> str:
        """The columns of the open multi-line marks, and a space, where there are any."""
        if not self.multi:
            return ""
        return "".join(self._paint(bar, m.primary) for bar, m in zip(self.open, self.multi, strict=True)) + " "

    def _turn(self, index: int, bar: str, cell: int, text: str) -> Row:
        """`|____^ text`: the row where a multi-line mark starts or ends."""
        mark = self.multi[index]
        others = "".join(self._paint(b, m.primary) for b, m in zip(self.open[:index], self.multi[:index], strict=True))
        run = "_" * (len(self.multi) - index + cell)
        line = self._paint(bar + run + ("^" if mark.primary else "-"), mark.primary)
        return Row(None, others + line + (" " + self._paint(text, mark.primary) if text else ""))

    def _below(self, marks: list[Mark], window: Window) -> Iterable[str]:
        """The caret row, then rows of the labels that do not fit after the carets, rightmost first."""
        if not marks:
            return
        inline = _inline(marks)
        yield self._carets(marks, window) + (" " + self._paint(inline.text, inline.primary) if inline else "")
        hanging = sorted((m for m in marks if m.text and m is not inline), key=lambda m: m.start, reverse=True)
        if hanging:
            yield self._stems(hanging, window)
        for i, mark in enumerate(hanging):
            stems = [m for m in hanging[i + 1 :] if m.start < mark.start]
            before = self._stems(stems, window)
            pad = window.at(mark.start) - (window.at(max(m.start for m in stems)) + 1 if stems else 0)
            yield before + " " * pad + self._paint(mark.text, mark.primary)

    def _carets(self, marks: list[Mark], window: Window) -> str:
        """`---- ^^^`: one character a cell; primary marks win where marks overlap."""
        cells = [" "] * max(window.at(m.end) for m in marks)
        for mark in sorted(marks, key=lambda m: m.primary):
            for cell in range(window.at(mark.start), max(window.at(mark.end), window.at(mark.start) + 1)):
                cells[cell : cell + 1] = "^" if mark.primary else "-"
        row = "".join(cells).rstrip()
        return "".join(self._paint(c, c == "^") for c in _runs(row))

    def _stems(self, marks: list[Mark], window: Window) -> str:
        row, cell = "", 0
        for start, primary in sorted({window.at(m.start): m.primary for m in marks}.items()):
            row += " " * (start - cell) + self._paint("|", primary)
            cell = start + 1
        return row

    def _paint(self, text: str, primary: bool) -> str:
        return self.style.severity(text, self.severity) if primary else self.style.frame(text)


def _inline(marks: list[Mark]) -> Mark | None:
    """The mark whose text follows the carets: the one that starts last, if none ends after it."""
    last = max(marks, key=lambda m: (m.start, m.end, bool(m.text)))
    return last if last.text and all(m.end <= last.end for m in marks) else None


def _runs(row: str) -> list[str]:
    """The row cut into runs of one character, so that each run is painted once."""
    runs: list[str] = []
    for character in row:
        if runs and runs[-1][0] == character:
            runs[-1] += character
        else:
            runs.append(character)
    return runs
