"""Named scores and params: where they are declared and where they are used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from eosdsl.lsp.document import Document
from eosdsl.lsp.marks import Mark
from eosdsl.lsp.stack import Role
from eosdsl.syntax import tree

# Places whose names are looked up elsewhere: never a score or a param of the spec.
_OTHERS: frozenset[Role] = frozenset({"name", "family", "base", "curve", "option", "setting", "flag_word", "measure"})


@dataclass(frozen=True)
class Occurrence:
    """A name in a text, from `start` to `end`."""

    document: Document
    name: str
    start: int
    end: int
    declares: bool


def name_at(document: Document, offset: int) -> Occurrence | None:
    """The score or param whose name stands at an offset (or ends there)."""
    return next((one for one in _occurrences(document, document) if one.start <= offset <= one.end), None)


def occurrences(document: Document, name: str) -> Iterator[Occurrence]:
    """Declaration and uses of a name, in the document and in those that it takes in."""
    for one in (document, *document.used):
        yield from (found for found in _occurrences(one, document) if found.name == name)


def declarations(document: Document) -> dict[str, tree.Param | tree.Score]:
    """Scores and params that can be used in a document, by name; of two declarations the first counts."""
    found: dict[str, tree.Param | tree.Score] = {}
    for one in (document, *document.used):
        for statement in one.statements:
            if isinstance(statement, tree.Param | tree.Score):
                found.setdefault(statement.name.text, statement)
    return found


def _occurrences(document: Document, top: Document) -> Iterator[Occurrence]:
    """Names of scores and params in one text; `top` is the document that takes it in."""
    known = declarations(top)
    marks = document.reading.marks
    for i, mark in enumerate(marks):
        if mark.symbol != "NAME" or mark.token.text not in known:
            continue
        declares = i > 0 and marks[i - 1].symbol in ("param", "score")
        if declares or _uses(mark, known[mark.token.text], marks[i + 1 : i + 2]):
            yield Occurrence(document, mark.token.text, mark.token.start, mark.token.end, declares)


def _uses(mark: Mark, declared: tree.Param | tree.Score, after: Sequence[Mark]) -> bool:
    """Whether the name is looked up among the spec's own: it is no operator, parameter or option."""
    assert mark.place is not None
    role = mark.place.role
    following = after[0].symbol if after else ""
    if following == "(" or (role == "argument" and following == ":"):
        return False
    if isinstance(declared, tree.Score):
        return role == "score"
    return role not in _OTHERS
