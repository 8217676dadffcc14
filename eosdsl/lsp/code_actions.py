"""Code actions: the fixes that findings bring along, all safe ones at once, and comments that allow a warning."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from eosdsl.checking import check_source
from eosdsl.diagnostics import Diagnostic, Edit, Fix, Severity
from eosdsl.fixing import apply_fixes
from eosdsl.lsp.document import Document
from eosdsl.source import Span

_ALLOWED = re.compile(r"\beos:\s*allow\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Action:
    """Something that a click does. `edits` have spans that name the file they are in (empty: this one).

    `safe`: it keeps what the spec means. `finding` is what it mends, None for one that mends several.
    """

    title: str
    kind: Literal["quickfix", "source.fixAll"]
    edits: tuple[Edit, ...]
    finding: Diagnostic | None = None
    safe: bool = False


def code_actions(document: Document, start: int, end: int) -> list[Action]:
    """What can be done about the findings that touch the characters `start` to `end`."""
    here = [one for one in document.found if _touches(one.span, start, end)]
    return [*(action for one in here for action in _fix(one)), *_allow_each(document, here), *_fix_all(document)]


def _touches(span: Span | None, start: int, end: int) -> bool:
    return span is not None and not span.file and span.start <= end and start <= span.end


def _fix(finding: Diagnostic) -> Iterator[Action]:
    fix = finding.fix
    if fix is not None and fix.edits:
        title = fix.message[:1].upper() + fix.message[1:]
        safe = fix.applicability == "safe"
        yield Action(title if safe else f"{title} (check the meaning)", "quickfix", fix.edits, finding, safe)


def _fix_all(document: Document) -> Iterator[Action]:
    """All safe fixes that can go in together."""
    safe = [one for one in document.found if one.fix is not None and one.fix.applicability == "safe"]
    text, count = apply_fixes(document.text, safe)
    if count:
        whole = document.source.span(0, len(document.text))
        title = "Apply the safe fix" if count == 1 else f"Apply all {count} safe fixes"
        yield Action(title, "source.fixAll", (Edit(whole, text),), None, True)


def _allow_each(document: Document, findings: Iterable[Diagnostic]) -> Iterator[Action]:
    """A comment for every warning; one that would not silence it is not offered."""
    for finding in findings:
        span = finding.span
        if finding.severity is not Severity.WARNING or span is None or finding.code in ("W0190", "W0191"):
            continue
        edit = _allowing(document, span, finding.code)
        if _silences(document, edit, finding):
            yield Action(f"Allow {finding.code} here", "quickfix", (edit,), finding)


def _allowing(document: Document, span: Span, code: str) -> Edit:
    """`# eos: allow(CODE)` at the end of the line that the finding starts on."""
    for comment in document.reading.comments:
        if comment.span.line != span.line:
            continue
        already = _ALLOWED.search(comment.text)
        if already is not None and already[1].strip():
            end = comment.span.start + already.end(1)
            return Edit(document.source.span(end, end), f", {code}")
        end = comment.span.end
        return Edit(document.source.span(end, end), f" eos: allow({code})")
    line = document.source.line_text(span.line)
    start = span.start - span.column + 1
    end = start + len(line.rstrip())
    return Edit(document.source.span(end, start + len(line)), f"  # eos: allow({code})")


def _silences(document: Document, edit: Edit, finding: Diagnostic) -> bool:
    text, _ = apply_fixes(document.text, [_carrier(edit)], unsafe=True)
    source = type(document.source)(document.source.name, text, document.path)
    settings = document.settings
    found = check_source(source, document.facts, settings=settings.params, allow_outside=settings.allow_outside)
    return _count(found, finding) < _count(document.found, finding)


def _carrier(edit: Edit) -> Diagnostic:
    return Diagnostic("", Severity.WARNING, "", fix=Fix("", (edit,), "unsafe"))


def _count(found: Iterable[Diagnostic], finding: Diagnostic) -> int:
    return sum(one.code == finding.code and one.message == finding.message for one in found)
