"""Findings one a line, for grep and for editors: `file:line:column: error[E0302] message`."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.diagnostics import Diagnostic
from eosdsl.render.cells import clean
from eosdsl.render.findings import Findings


def render_concise(findings: Sequence[Findings]) -> str:
    """One line a finding, in the order given."""
    return "\n".join(_line(d, f) for f in findings for d in f.diagnostics)


def _line(diagnostic: Diagnostic, findings: Findings) -> str:
    span = diagnostic.span
    place = findings.file_of(span) + (f":{span.line}:{span.column}" if span is not None else "")
    message = " ".join(diagnostic.message.split())
    return clean(f"{place}: {diagnostic.severity.value}[{diagnostic.code}] {message}")
