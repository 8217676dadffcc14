"""Diagnostics: everything that can be wrong, as data. Rendering is elsewhere (`eosdsl.render`).

Codes: E01xx syntax, E02xx names and types, E03xx token flow, E04xx model compatibility, E05xx spaces,
E06xx the world outside the spec (files, images, disks, packages), W… warnings, I… information.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from eosdsl.source import SourceFile, Span


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True)
class Label:
    """A piece of source with a remark; the first label of a diagnostic is its primary one."""

    span: Span
    text: str = ""


@dataclass(frozen=True)
class Edit:
    """Replace the characters of `span` by `replacement`."""

    span: Span
    replacement: str


@dataclass(frozen=True)
class Fix:
    """Edits that mend the finding. A safe fix keeps what the spec means; an unsafe one is a guess."""

    message: str
    edits: tuple[Edit, ...]
    applicability: Literal["safe", "unsafe"] = "unsafe"


@dataclass(frozen=True)
class Diagnostic:
    """One finding. `span` is None only where no text is at fault (a missing file, a full disk)."""

    code: str
    severity: Severity
    message: str
    span: Span | None = None
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    helps: tuple[str, ...] = ()
    fix: Fix | None = None

    @property
    def is_error(self) -> bool:
        return self.severity is Severity.ERROR


class SpecError(Exception):
    """Raised by the Python API where errors were found; carries them all as `.diagnostics`.

    `source` is the text that the spans point into, when there is one. `str(error)` is the rendered text.
    """

    def __init__(self, diagnostics: Iterable[Diagnostic], source: SourceFile | None = None) -> None:
        self.diagnostics: list[Diagnostic] = list(diagnostics)
        self.source = source
        super().__init__("; ".join(f"{d.code}: {d.message}" for d in self.diagnostics))

    def __str__(self) -> str:
        from eosdsl.render.text import render_text

        return render_text(self.diagnostics, self.source, color=False)


def error(
    code: str,
    message: str,
    span: Span | None = None,
    label: str = "",
    notes: tuple[str, ...] = (),
    helps: tuple[str, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """An error with one primary label at `span`."""
    return _diagnostic(Severity.ERROR, code, message, span, label, notes, helps, fix)


def warning(
    code: str,
    message: str,
    span: Span | None = None,
    label: str = "",
    notes: tuple[str, ...] = (),
    helps: tuple[str, ...] = (),
    fix: Fix | None = None,
) -> Diagnostic:
    """A warning with one primary label at `span`."""
    return _diagnostic(Severity.WARNING, code, message, span, label, notes, helps, fix)


def info(
    code: str,
    message: str,
    span: Span | None = None,
    label: str = "",
    notes: tuple[str, ...] = (),
    helps: tuple[str, ...] = (),
) -> Diagnostic:
    """A piece of information with one primary label at `span`."""
    return _diagnostic(Severity.INFO, code, message, span, label, notes, helps, None)


def _diagnostic(
    severity: Severity,
    code: str,
    message: str,
    span: Span | None,
    label: str,
    notes: tuple[str, ...],
    helps: tuple[str, ...],
    fix: Fix | None,
) -> Diagnostic:
    labels = (Label(span, label),) if span is not None else ()
    return Diagnostic(code, severity, message, span, labels, notes, helps, fix)
