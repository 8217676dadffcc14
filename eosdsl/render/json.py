"""Findings as JSON, for programs. The form is versioned and described by `docs/schema/diagnostics.schema.json`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from eosdsl.diagnostics import Diagnostic, Fix
from eosdsl.render.findings import Findings
from eosdsl.source import Span

VERSION = 1


def render_json(findings: Sequence[Findings]) -> str:
    """`{"version": 1, "diagnostics": […]}`. Offsets are 0-based characters; lines and columns are 1-based."""
    rows = [_diagnostic(d, f) for f in findings for d in f.diagnostics]
    return json.dumps({"version": VERSION, "diagnostics": rows}, indent=2, ensure_ascii=False)


def _diagnostic(diagnostic: Diagnostic, findings: Findings) -> dict[str, Any]:
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity.value,
        "message": diagnostic.message,
        "file": findings.file_of(diagnostic.span),
        "span": _span(diagnostic.span),
        "labels": [
            {"file": findings.file_of(label.span), "span": _span(label.span), "text": label.text}
            for label in diagnostic.labels
        ],
        "notes": list(diagnostic.notes),
        "helps": list(diagnostic.helps),
        "fix": None if diagnostic.fix is None else _fix(diagnostic.fix, findings),
    }


def _fix(fix: Fix, findings: Findings) -> dict[str, Any]:
    edits = [
        {"file": findings.file_of(edit.span), "span": _span(edit.span), "replacement": edit.replacement}
        for edit in fix.edits
    ]
    return {"message": fix.message, "applicability": fix.applicability, "edits": edits}


def _span(span: Span | None) -> dict[str, Any] | None:
    if span is None:
        return None
    return {
        "start": {"offset": span.start, "line": span.line, "column": span.column},
        "end": {"offset": span.end, "line": span.end_line, "column": span.end_column},
    }
