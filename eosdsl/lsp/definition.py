"""Go to definition, and find references: of named scores and params, and of the files that `use` names."""

from __future__ import annotations

from eosdsl.lsp.document import Document, open_file
from eosdsl.lsp.names import Occurrence, name_at, occurrences
from eosdsl.syntax import tree


def definition(document: Document, offset: int) -> Occurrence | None:
    """Where the name at an offset is declared; for the path of a `use`, the beginning of that file."""
    found = name_at(document, offset)
    if found is not None:
        return next((one for one in occurrences(document, found.name) if one.declares), None)
    return _used_file(document, offset)


def references(document: Document, offset: int, *, with_declaration: bool = True) -> list[Occurrence]:
    """Everywhere that the name at an offset is used, in this document and in those that it takes in."""
    found = name_at(document, offset)
    if found is None:
        return []
    return [one for one in occurrences(document, found.name) if with_declaration or not one.declares]


def _used_file(document: Document, offset: int) -> Occurrence | None:
    for statement in document.statements:
        if not isinstance(statement, tree.Use) or document.path is None:
            continue
        span = statement.path.span
        if not span.start <= offset <= span.end or "\0" in statement.path.text:
            continue
        opened = open_file((document.path.parent / statement.path.text).resolve(), document.settings)
        return Occurrence(opened, statement.path.text, 0, 0, True) if opened is not None else None
    return None
