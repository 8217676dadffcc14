"""Hover: what a word is and does; on a statement, its effect and cost on the chosen model."""

from __future__ import annotations

from typing import NamedTuple

from eosdsl.lsp.document import Document
from eosdsl.lsp.marks import Mark
from eosdsl.lsp.names import declarations, name_at
from eosdsl.lsp.stack import operator_named, positional
from eosdsl.lsp.steps import effect, placed_steps
from eosdsl.lsp.words import family_doc, keyword_doc, operator_doc, parameter_doc, word_doc
from eosdsl.operators.parameters import parameters
from eosdsl.syntax import tree
from eosdsl.syntax.keywords import KEYWORDS

# On these a reader asks what the statement does, not what the word means.
_STEP = frozenset({"at", "retain", "remove", "NUMBER", "PERCENT", "FRACTION", "tokens", "token", ".."})


class Hover(NamedTuple):
    """Markdown about the characters `start` to `end`."""

    text: str
    start: int
    end: int


def hover(document: Document, offset: int) -> Hover | None:
    """What there is to say about the word at an offset."""
    marks = document.reading.marks
    i = next((i for i, mark in enumerate(marks) if mark.token.start <= offset < mark.token.end), None)
    if i is None:
        return None
    mark = marks[i]
    following = marks[i + 1].symbol if i + 1 < len(marks) else ""
    text = _about_name(document, mark, following) if mark.place is not None else _about_symbol(document, mark)
    return Hover(text, mark.token.start, mark.token.end) if text else None


def _about_symbol(document: Document, mark: Mark) -> str:
    symbol = mark.symbol or mark.token.kind
    parts = [keyword_doc(symbol)] if symbol in KEYWORDS else []
    if symbol in _STEP or (symbol in KEYWORDS and KEYWORDS[symbol].role == "site"):
        parts += [effect(document, placed) for placed in placed_steps(document) if _is_at_head(placed.statement, mark)]
    return "\n\n---\n\n".join(part for part in parts if part)


def _is_at_head(statement: tree.At, mark: Mark) -> bool:
    """Whether the token belongs to the site or to a budget of the statement."""
    start = mark.token.start
    if statement.span.start <= start < statement.site.span.end:
        return True
    budgets = [group.budget.span for group in statement.groups if group.budget is not None]
    return any(span.start <= start < span.end for span in budgets)


def _about_name(document: Document, mark: Mark, following: str) -> str:
    place, word = mark.place, mark.token.text
    assert place is not None
    own = name_at(document, mark.token.start)
    if own is not None:
        return _declaration(document, own.name)
    if place.role == "family":
        return family_doc(word)
    if place.role == "argument" and following == ":":
        known = parameters(place.operator) if place.operator is not None else ()
        return next((parameter_doc(one) for one in known if one.name == word), "")
    operator = operator_named(place, word)
    if operator is not None:
        return operator_doc(operator)
    parameter = positional(place)
    if parameter is not None:
        return f"**{word}**, for {parameter_doc(parameter)}"
    return word_doc(word, place)


def _declaration(document: Document, name: str) -> str:
    """The statement that declares a name, with the file that it stands in where that is another."""
    statement = declarations(document)[name]
    for one in (document, *document.used):
        if statement in one.statements:
            written = one.text[statement.span.start : statement.span.end]
            where = f"\n\nfrom {one.path.name}" if one is not document and one.path is not None else ""
            return f"```eos\n{written}\n```{where}"
    return ""
