"""Completion: what could be written at the cursor. The parser says which keywords and whether a name; the place of the
name says which names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from eosdsl.lsp.document import Document
from eosdsl.lsp.marks import Reading, read
from eosdsl.lsp.offers import ItemKind, Offer, names
from eosdsl.lsp.stack import Place, Role, place
from eosdsl.lsp.words import keyword_doc
from eosdsl.syntax.keywords import KEYWORDS, UNITS
from eosdsl.syntax.tables import END

_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PATH = re.compile(r'\buse[ \t]*"([^"\r\n]*)\Z')
# What the last word asks for, where what comes before it could not be read.
_LAST_RESORT: dict[str, Role] = {
    "by": "score", "pick": "pick", "via": "behaviour", "with": "option", "along": "curve", "of": "base",
    "for": "family", "retain": "amount", "remove": "amount",
}  # fmt: skip


@dataclass(frozen=True)
class Item:
    """One proposal: characters `start` to `end` become `insert`. Lower `rank` comes first."""

    label: str
    kind: ItemKind
    insert: str
    start: int
    end: int
    detail: str = ""
    doc: str = ""
    rank: int = 1


def completion(document: Document, offset: int, *, after_space: bool = False) -> list[Item]:
    """Proposals for the word that ends at an offset, or for the next one.

    `after_space`: the editor asks because a blank was typed, not because the user did; then nothing is proposed where
    the statement may just as well end, so that a line end is a line end.
    """
    before = document.text[:offset]
    if _in_comment(document, offset):
        return []
    path = _PATH.search(before)
    if path is not None:
        return [_item(offer, path.start(1), offset) for offer in _files(document, path[1])]
    typed = _WORD.search(before)
    start = typed.start() if typed is not None else offset
    reading = read(before[:start])
    if after_space and (not reading.marks or (not reading.broken and reading.machine.accepts(END))):
        return []
    return [_item(offer, start, offset) for offer in _unique(_offers(document, reading))]


def _item(offer: Offer, start: int, end: int) -> Item:
    return Item(offer.label, offer.kind, offer.insert or offer.label, start, end, offer.detail, offer.doc, offer.rank)


def _unique(offers: Iterable[Offer]) -> list[Offer]:
    return list({offer.label: offer for offer in reversed(list(offers))}.values())[::-1]


def _in_comment(document: Document, offset: int) -> bool:
    """Whether a comment has begun on the line of the cursor; blanks at its end belong to it here."""
    starts = [one.span.start for one in document.reading.comments if one.span.start < offset]
    return bool(starts) and not re.search(r"[\r\n]", document.text[starts[-1] : offset])


def _offers(document: Document, reading: Reading) -> Iterator[Offer]:
    if reading.broken:
        last = reading.marks[-1].token.text if reading.marks else ""
        if last in _LAST_RESORT:
            yield from names(document, Place(_LAST_RESORT[last]))
        return
    expected = set(reading.machine.expected())
    at = place(reading.written)
    if "NAME" in expected:
        yield from names(document, at)
    yield from _keywords(expected - _units_elsewhere(at), begun=bool(reading.written))


def _units_elsewhere(at: Place) -> frozenset[str]:
    """Units that the grammar allows after any number and that mean nothing here."""
    if at.role in ("bound", "anything"):
        return frozenset()
    return UNITS - {"tokens"} if at.role == "amount" else UNITS


def _keywords(expected: set[str], *, begun: bool) -> Iterator[Offer]:
    """The keywords that can stand here; where a statement is begun, those of the next one come last."""
    for word, keyword in KEYWORDS.items():
        if word in expected:
            rank = 3 if keyword.role == "statement" and begun else 2
            yield Offer(word, "keyword", keyword.role, keyword_doc(word), rank=rank)


def _files(document: Document, typed: str) -> Iterator[Offer]:
    """Specs and folders beside the document, for the path of a `use`."""
    if document.path is None or "\0" in typed:
        return
    folder = document.path.parent / typed.rpartition("/")[0]
    prefix = typed.rpartition("/")[0] + "/" if "/" in typed else ""
    for entry in _entries(folder):
        if entry.is_dir() and not entry.name.startswith("."):
            yield Offer(f"{prefix}{entry.name}/", "file", "folder")
        elif entry.suffix == ".eos" and entry.resolve() != document.path.resolve():
            yield Offer(f"{prefix}{entry.name}", "file", "spec")


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())[:200]
    except OSError:
        return []
