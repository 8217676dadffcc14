"""Formatting: the text as the formatter writes it, as the one edit that changes what differs."""

from __future__ import annotations

from typing import NamedTuple

from eosdsl.diagnostics import SpecError
from eosdsl.lsp.document import Document
from eosdsl.syntax.format import format_text


class TextEdit(NamedTuple):
    """Replace the characters `start` to `end`."""

    start: int
    end: int
    text: str


def formatting(document: Document) -> list[TextEdit]:
    """What formatting changes; nothing where the text cannot be read, or is formatted already."""
    if document.too_long:
        return []
    try:
        formatted = format_text(document.text)
    except SpecError:
        return []
    return [] if formatted == document.text else [_difference(document.text, formatted)]


def _difference(old: str, new: str) -> TextEdit:
    """Cut the lines off that are the same at both ends, so that the cursor stays where it is."""
    before, after = old.splitlines(keepends=True), new.splitlines(keepends=True)
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    tail = 0
    while tail < min(len(before), len(after)) - same and before[-1 - tail] == after[-1 - tail]:
        tail += 1
    start = sum(map(len, before[:same]))
    end = len(old) - sum(map(len, before[len(before) - tail :]))
    return TextEdit(start, end, "".join(after[same : len(after) - tail]))
