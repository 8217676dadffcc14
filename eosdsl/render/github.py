"""Findings as workflow commands, which GitHub Actions shows beside the changed lines of a pull request."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.render.findings import Findings

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def render_github(findings: Sequence[Findings]) -> str:
    """One `::error file=…,line=…,col=…::message` a finding."""
    return "\n".join(_command(d, f) for f in findings for d in f.diagnostics)


def _command(diagnostic: Diagnostic, findings: Findings) -> str:
    span = diagnostic.span
    properties = {"title": f"eosdsl {diagnostic.code}", "file": findings.file_of(span)}
    if span is not None:
        properties |= {"line": str(span.line), "endLine": str(span.end_line), "col": str(span.column)}
        properties["endColumn"] = str(span.end_column)
    pairs = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    text = "\n".join(
        [diagnostic.message, *(label.text for label in diagnostic.labels if label.text), *diagnostic.helps]
    )
    return f"::{_COMMANDS[diagnostic.severity]} {pairs}::{_data(text)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
