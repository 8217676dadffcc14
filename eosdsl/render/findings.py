"""The findings of one file, as renderers of whole runs take them."""

from __future__ import annotations

from dataclasses import dataclass

from eosdsl.diagnostics import Diagnostic
from eosdsl.source import SourceFile, Span


@dataclass(frozen=True)
class Findings:
    """What was found in one file; `source` is None where it could not be read."""

    name: str
    source: SourceFile | None
    diagnostics: tuple[Diagnostic, ...]

    def file_of(self, span: Span | None) -> str:
        """The file that a span points into."""
        return span.file if span is not None and span.file else self.name
