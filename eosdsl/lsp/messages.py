"""Findings as an editor shows them: what is wrong, with the rest of its labels as related places."""

from __future__ import annotations

from dataclasses import dataclass

from eosdsl.diagnostics import Diagnostic, Label
from eosdsl.lsp.document import Document
from eosdsl.source import Span
from eosdsl.syntax import tree


@dataclass(frozen=True)
class Message:
    """A finding at the characters `start` to `end` of the document; `related` may lie in other files."""

    finding: Diagnostic
    start: int
    end: int
    text: str
    related: tuple[Label, ...]


def messages(document: Document) -> list[Message]:
    """All findings of a document. One in a file that it takes in is shown at the `use`."""
    return [_message(finding, document) for finding in document.found]


def _message(finding: Diagnostic, document: Document) -> Message:
    start, end = _place(finding.span, document)
    own = finding.span is not None and not finding.span.file
    first, *others = finding.labels or (Label(document.source.span(start, end)),)
    related = (*(() if own or finding.span is None else (Label(first.span, finding.message),)), *others)
    return Message(finding, start, end, _text(finding, first), tuple(one for one in related if one.text))


def _text(finding: Diagnostic, first: Label) -> str:
    head = f"{finding.message}: {first.text}" if first.text else finding.message
    return "\n".join([head, *(f"note: {note}" for note in finding.notes), *(f"help: {one}" for one in finding.helps)])


def _place(span: Span | None, document: Document) -> tuple[int, int]:
    if span is None:
        return 0, 0
    if not span.file:
        return span.start, span.end
    for statement in document.statements:
        if isinstance(statement, tree.Use):
            return statement.path.span.start, statement.path.span.end
    return 0, 0
