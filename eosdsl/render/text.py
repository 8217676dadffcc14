"""Diagnostics for people: the message, the source line with carets, helps and notes.

error[E0302]: layer 40 is past the last decoder layer
 --> fastv.eos:2:10
  |
2 | at layer 40: retain 50% by attention(query: last)
  |          ^^ llava-1.5-7b has decoder layers 0..31
  |
  = help: the published FastV drops at layer 2
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eosdsl.diagnostics import Diagnostic, Label
from eosdsl.render.cells import clean
from eosdsl.render.excerpt import Row, excerpt
from eosdsl.render.origin import origin_name, origin_source
from eosdsl.render.style import Style
from eosdsl.source import SourceFile


def render_text(diagnostics: Iterable[Diagnostic], source: SourceFile | None, color: bool) -> str:
    """All diagnostics, a blank line between two; `source` is the text that their spans point into."""
    style = Style(color)
    return "\n\n".join(_render_one(diagnostic, source, style) for diagnostic in diagnostics)


def _render_one(diagnostic: Diagnostic, source: SourceFile | None, style: Style) -> str:
    files = _by_file(_labels(diagnostic))
    blocks = [(file, _rows(file, labels, source, diagnostic, style)) for file, labels in files.items()]
    numbers = [row.number for _, rows in blocks for row in rows if row.number is not None]
    margin = len(str(max(numbers))) if numbers else 1
    lines = [_head(diagnostic, style)]
    for place, (file, rows) in enumerate(blocks):
        lines.append(_arrow(files[file][0][0], source, margin, place == 0, style))
        lines.extend(_framed(rows, margin, style))
    lines.extend(_tail(diagnostic, margin, bool(numbers), style))
    return "\n".join(lines)


def _head(diagnostic: Diagnostic, style: Style) -> str:
    tag = style.severity(f"{diagnostic.severity.value}[{diagnostic.code}]", diagnostic.severity)
    return tag + style.strong(f": {clean(diagnostic.message)}")


def _labels(diagnostic: Diagnostic) -> list[tuple[Label, bool]]:
    """The labels, each with whether it is primary. A span without labels is a label without text."""
    if diagnostic.labels:
        return [(label, place == 0) for place, label in enumerate(diagnostic.labels)]
    return [(Label(diagnostic.span), True)] if diagnostic.span is not None else []


def _by_file(labels: list[tuple[Label, bool]]) -> dict[str, list[tuple[Label, bool]]]:
    files: dict[str, list[tuple[Label, bool]]] = {}
    for label, primary in labels:
        files.setdefault(label.span.file, []).append((label, primary))
    return files


def _rows(
    file: str, labels: list[tuple[Label, bool]], source: SourceFile | None, diagnostic: Diagnostic, style: Style
) -> list[Row]:
    text = origin_source(file, source)
    return excerpt(text, labels, diagnostic.severity, style) if text is not None else []


def _arrow(label: Label, source: SourceFile | None, margin: int, first: bool, style: Style) -> str:
    place = f"{origin_name(label.span.file, source)}:{label.span.line}:{label.span.column}"
    return " " * margin + style.frame("--> " if first else "::: ") + clean(place)


def _framed(rows: Sequence[Row], margin: int, style: Style) -> list[str]:
    """Rows behind their line numbers, after an empty one."""
    if not rows:
        return []
    bar = style.frame("|")
    lines = [f"{' ' * margin} {bar}"]
    for row in rows:
        number = "" if row.number is None else str(row.number)
        lines.append(row.text if row.is_elision else f"{style.frame(number.rjust(margin))} {bar} {row.text}".rstrip())
    return lines


def _tail(diagnostic: Diagnostic, margin: int, framed: bool, style: Style) -> list[str]:
    """Helps, the fix and notes, behind `=`."""
    helps = list(diagnostic.helps)
    if diagnostic.fix is not None and not helps:
        helps.append(diagnostic.fix.message)  # a help beside a fix says the same in more words
    remarks = [*(("help", text) for text in helps), *(("note", text) for text in diagnostic.notes)]
    if not remarks:
        return []
    lines = [" " * margin + " " + style.frame("|")] if framed else []
    for kind, text in remarks:
        start = f"{' ' * margin} {style.frame('=')} {style.strong(kind)}: "
        indent = " " * (margin + 3 + len(kind) + 2)
        lines.append(start + f"\n{indent}".join(clean(text).splitlines() or [""]))
    return lines
