"""Texts with a cursor: `▮` marks the offset that a test asks about."""

from __future__ import annotations

from pathlib import Path

from eosdsl.lsp.document import Document
from eosdsl.lsp.settings import DEFAULTS, Settings

CURSOR = "▮"


def at_cursor(marked: str, path: Path | None = None, settings: Settings = DEFAULTS) -> tuple[Document, int]:
    """The document without the mark, and where it stood."""
    assert marked.count(CURSOR) == 1
    return Document(marked.replace(CURSOR, ""), path, settings), marked.index(CURSOR)


def edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with edits (start, end, new text) that do not overlap."""
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text
