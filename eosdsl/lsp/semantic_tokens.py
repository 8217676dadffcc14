"""Semantic tokens: colours by what a word means where it stands, which no pattern can tell."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from eosdsl.lsp.document import Document
from eosdsl.lsp.marks import Mark
from eosdsl.lsp.names import declarations
from eosdsl.lsp.stack import Role
from eosdsl.syntax.keywords import KEYWORDS, UNITS
from eosdsl.syntax.tokens import BAD

TYPES = (
    "namespace", "class", "function", "parameter", "property", "variable", "enumMember", "keyword", "type", "number",
    "string", "comment", "operator",
)  # fmt: skip
MODIFIERS = ("declaration", "defaultLibrary")

_OF_ROLE: dict[Role, str] = {
    "family": "namespace", "score": "function", "pick": "function", "behaviour": "function", "amount": "function",
    "curve": "function", "measure": "function", "objective": "function", "option": "property", "setting": "property",
    "base": "enumMember", "value": "enumMember", "option_value": "enumMember", "setting_value": "enumMember",
    "flag_word": "enumMember", "measure_argument": "enumMember", "anything": "enumMember", "layer": "variable",
    "bound": "variable",
}  # fmt: skip
_OF_SYMBOL = {"STRING": "string", "NUMBER": "number", "PERCENT": "number", "FRACTION": "number", "DIMS": "number"}
_QUIET = frozenset({",", ":", "(", ")", "{", "}"})


class SemanticToken(NamedTuple):
    """Characters `start` to `end`, on one line."""

    start: int
    end: int
    type: str
    modifiers: tuple[str, ...] = ()


def semantic_tokens(document: Document) -> list[SemanticToken]:
    """All tokens that have a colour, in the order of the text; none overlap."""
    own = declarations(document)
    marks = document.reading.marks
    found = [SemanticToken(one.span.start, one.span.end, "comment") for one in document.reading.comments]
    for i, mark in enumerate(marks):
        following = marks[i + 1].symbol if i + 1 < len(marks) else ""
        token = _name(mark, own, following) if mark.place is not None else _other(mark)
        if token is not None:
            found.append(token)
    return sorted(found)


def _other(mark: Mark) -> SemanticToken | None:
    """A keyword, a number, a sign; a keyword in a part that could not be read is a keyword still."""
    token = mark.token
    symbol = mark.symbol or token.kind
    if symbol in (BAD, "NAME") or symbol in _QUIET:
        return None
    if symbol in UNITS:
        return SemanticToken(token.start, token.end, "type")
    kind = "keyword" if symbol in KEYWORDS else _OF_SYMBOL.get(symbol, "operator")
    return SemanticToken(token.start, token.end, kind)


def _name(mark: Mark, own: Container[str], following: str) -> SemanticToken | None:
    token, place = mark.token, mark.place
    assert place is not None
    if place.role == "name":
        return SemanticToken(token.start, token.end, "variable" if token.text in own else "class", MODIFIERS[:1])
    if place.role == "argument":
        kind = "parameter" if following == ":" else "function" if following == "(" else "enumMember"
    elif following == "(":
        kind = "function"
    else:
        kind = _OF_ROLE.get(place.role, "variable")
    if following not in ("(", ":") and place.role not in ("option", "setting") and token.text in own:
        return SemanticToken(token.start, token.end, "variable")
    return SemanticToken(token.start, token.end, kind, MODIFIERS[1:] if kind == "function" else ())
