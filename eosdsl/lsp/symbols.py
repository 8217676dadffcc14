"""The outline of a spec: its header, params, scores, statements and their groups."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eosdsl.lsp.document import Document
from eosdsl.source import Span
from eosdsl.syntax import tree

SymbolKind = Literal["program", "param", "score", "step", "group", "file", "goal"]


@dataclass(frozen=True)
class Symbol:
    """A line of the outline. `whole` is all of it, `name_span` lies inside and is what a click selects."""

    name: str
    detail: str
    kind: SymbolKind
    whole: Span
    name_span: Span
    children: tuple[Symbol, ...] = ()


def document_symbols(document: Document) -> list[Symbol]:
    """The outline in the order of the text; what could not be read is left out."""
    return [symbol for statement in document.statements if (symbol := _symbol(statement, document.text)) is not None]


def _symbol(statement: tree.Statement, text: str) -> Symbol | None:
    span = statement.span
    match statement:
        case tree.Header():
            family = f"for {statement.family.text}" if statement.family is not None else ""
            return Symbol(
                statement.name.text, f"{statement.kind} {family}".strip(), "program", span, statement.name.span
            )
        case tree.Param() | tree.Score():
            kind = "param" if isinstance(statement, tree.Param) else "score"
            value = _line(text, statement.value.span)
            return Symbol(statement.name.text, value, kind, span, statement.name.span)
        case tree.Use():
            return Symbol(statement.path.text or "…", "use", "file", span, statement.path.span)
        case tree.At():
            return _step(statement, text)
        case tree.Minimise() | tree.SubjectTo() | tree.SearchWith() | tree.Expect():
            return Symbol(_line(text, span), "", "goal", span, span)
        case tree.Version():
            return None


def _step(statement: tree.At, text: str) -> Symbol:
    groups = tuple(Symbol(_line(text, group.span), "", "group", group.span, group.span) for group in statement.groups)
    detail = groups[0].name if len(groups) == 1 else f"{len(groups)} groups"
    name = _line(text, statement.site.span)
    return Symbol(name, detail, "step", statement.span, statement.site.span, groups if len(groups) > 1 else ())


def _line(text: str, span: Span) -> str:
    """The text of a span on one line, cut where it is long."""
    words = " ".join(text[span.start : min(span.end, span.start + 400)].split())
    return words if len(words) <= 80 else f"{words[:79]}…"
