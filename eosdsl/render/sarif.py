"""Findings as SARIF 2.1.0, which code-scanning services read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from eosdsl import __version__
from eosdsl.diagnostics import Diagnostic, Label, Severity
from eosdsl.render.findings import Findings
from eosdsl.source import Span

_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def render_sarif(findings: Sequence[Findings]) -> str:
    """One run with the codes that occur as rules. Columns count Unicode code points."""
    codes = sorted({d.code for f in findings for d in f.diagnostics})
    driver = {"name": "eosdsl", "version": __version__, "rules": [_rule(code) for code in codes]}
    results = [_result(d, f, codes.index(d.code)) for f in findings for d in f.diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    document = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2, ensure_ascii=False)


def _rule(code: str) -> dict[str, Any]:
    from eosdsl.diagnostic_catalogue import explanation

    page = explanation(code)
    summary = page.title if page is not None else code
    return {"id": code, "shortDescription": {"text": summary}, "help": {"text": page.text if page else summary}}


def _result(diagnostic: Diagnostic, findings: Findings, rule: int) -> dict[str, Any]:
    text = "\n".join([diagnostic.message, *diagnostic.helps])
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": _LEVELS[diagnostic.severity],
        "message": {"text": text},
        "locations": [_location(findings.file_of(diagnostic.span), diagnostic.span)],
    }
    others = [_related(label, findings) for label in diagnostic.labels[1:]]
    if others:
        result["relatedLocations"] = others
    if diagnostic.fix is not None:
        result["fixes"] = [_fix(diagnostic, findings)]
    return result


def _location(file: str, span: Span | None) -> dict[str, Any]:
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(PurePath(file).as_posix())}}
    if span is not None:
        place["region"] = _region(span)
    return {"physicalLocation": place}


def _related(label: Label, findings: Findings) -> dict[str, Any]:
    return _location(findings.file_of(label.span), label.span) | {"message": {"text": label.text}}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def _fix(diagnostic: Diagnostic, findings: Findings) -> dict[str, Any]:
    assert diagnostic.fix is not None
    changes = [
        {
            "artifactLocation": {"uri": quote(PurePath(findings.file_of(edit.span)).as_posix())},
            "replacements": [{"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.replacement}}],
        }
        for edit in diagnostic.fix.edits
    ]
    return {"description": {"text": diagnostic.fix.message}, "artifactChanges": changes}
