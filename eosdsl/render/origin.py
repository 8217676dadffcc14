"""Which file a span points into: the text at hand, or a file that `use` took in."""

from __future__ import annotations

from pathlib import Path

from eosdsl.diagnostics import SpecError
from eosdsl.reading import read_source
from eosdsl.source import SourceFile


def origin_name(file: str, source: SourceFile | None) -> str:
    """The name to print for a span of `file` (empty: the text at hand)."""
    if file:
        return file
    return source.name if source is not None else "<text>"


def origin_source(file: str, source: SourceFile | None) -> SourceFile | None:
    """The text that a span of `file` points into, read where it is another file; None where it is not to be had."""
    if not file or (source is not None and file == source.name):
        return source
    try:
        return read_source(Path(file))
    except SpecError:
        return None
