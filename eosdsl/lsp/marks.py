"""Every token of a text with what it is there: a keyword, a name and what it stands for, or something not understood.

Broken statements are read as far as they go; reading goes on at the next statement that begins a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from eosdsl.collection import collects_later
from eosdsl.lsp.stack import Item, Place, items, place
from eosdsl.syntax import tree
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.build import TreeBuilder
from eosdsl.syntax.parse import Reader
from eosdsl.syntax.tables import Tables, load
from eosdsl.syntax.tokens import Token, tokenize


class Mark(NamedTuple):
    """A token; `symbol` is what the grammar took it for, empty where it was skipped; `place` is that of a name."""

    token: Token
    symbol: str
    place: Place | None


@dataclass(frozen=True)
class Reading:
    """A text read to its end, or to the cursor: its tokens, its comments, and the machine where reading stopped.

    `broken`: what comes last could not be read.
    """

    marks: tuple[Mark, ...]
    comments: tuple[tree.Comment, ...]
    machine: Machine
    broken: bool

    @property
    def written(self) -> list[Item]:
        """What there is of the statement at hand."""
        return items(self.machine)


@collects_later
def read(text: str) -> Reading:
    """All tokens of a text. Never raises for any text."""
    tables = load()
    scanned = tokenize(text, tables)
    reader = _MarkingReader(tables, scanned.tokens, TreeBuilder(text))
    reader.advance(len(scanned.tokens) - 1)
    marks = tuple(reader.marks.get(i) or Mark(token, "", None) for i, token in enumerate(scanned.tokens[:-1]))
    return Reading(marks, scanned.comments, reader.machine, bool(marks) and not marks[-1].symbol)


class _MarkingReader(Reader):
    """The parser's own reader; it also notes what every token was taken for, by its index."""

    def __init__(self, tables: Tables, tokens: list[Token], builder: TreeBuilder) -> None:
        super().__init__(tables, tokens, builder)
        self.marks: dict[int, Mark] = {}

    def take(self, token: Token, i: int) -> bool:
        if not super().take(token, i):
            return False
        if token.text:  # not one that was missing
            self.marks[i] = self._mark(token._replace(text=self.tokens[i].text))
        return True

    def _mark(self, token: Token) -> Mark:
        if not (token.kind == "NAME" or token.kind.isidentifier()):
            return Mark(token, token.kind, None)
        *before, top = items(self.machine)
        return Mark(token, top.symbol, place(before) if top.symbol == "NAME" else None)

    def _rewind(self, j: int) -> int:
        self._forget(j)
        return super()._rewind(j)

    def _skip(self, i: int) -> int:
        j = super()._skip(i)
        self._forget(j)
        return j

    def _forget(self, j: int) -> None:
        """Token `j` and what follows are read anew."""
        for i in [i for i in self.marks if i >= j]:
            del self.marks[i]
