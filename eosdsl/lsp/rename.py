"""Rename a named score or a param, everywhere that it is used."""

from __future__ import annotations

import re
from collections.abc import Iterable

from eosdsl.lsp.document import Document
from eosdsl.lsp.names import Occurrence, declarations, name_at, occurrences
from eosdsl.passes.resolve_operators import LANGUAGE

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class NotPossible(Exception):
    """Why the name cannot be changed, in words for the user."""


def renamable(document: Document, offset: int) -> Occurrence | None:
    """The name at an offset, where it is one that can be changed."""
    return name_at(document, offset)


def rename(document: Document, offset: int, name: str, others: Iterable[Document] = ()) -> list[Occurrence]:
    """All places that have to read `name` from now on.

    Args:
        others: further documents; those that share the declaration are changed as well.

    Raises:
        NotPossible: where the name at the offset is not the user's own, or the new one cannot be taken.
    """
    found = name_at(document, offset)
    if found is None:
        raise NotPossible("only named scores and params can be renamed")
    if not _NAME.fullmatch(name):
        raise NotPossible(f"`{name}` is not a name: names have letters, digits and underscores")
    if name == found.name:
        return []
    if any(name in names for names in LANGUAGE.values()):
        raise NotPossible(f"`{name}` is the name of an operator")
    if name in declarations(document):
        raise NotPossible(f"`{name}` is defined already")
    places = {_key(one): one for one in occurrences(document, found.name)}
    declared = next((key for key, one in places.items() if one.declares), None)
    for other in others:
        theirs = {_key(one): one for one in occurrences(other, found.name)}
        if declared in theirs:
            places |= {key: one for key, one in theirs.items() if key not in places}
    return list(places.values())


def _key(one: Occurrence) -> tuple[str, int]:
    path = one.document.path
    return (str(path.resolve()) if path is not None else f"<{id(one.document)}>", one.start)
