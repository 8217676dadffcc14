"""Every token of a text with what it is there: a keyword, a name and what it stands for, or something not understood.

Broken statements are read as far as they go; reading goes on at the next statement that begins a line.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from eosdsl.lsp.stack import Item, Place, items, place
from eosdsl.syntax import messages, tree
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.build import TreeBuilder
from eosdsl.syntax.keywords import STATEMENTS
from eosdsl.syntax.tables import END, load
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


def read(text: str) -> Reading:
    """All tokens of a text. Never raises for any text."""
    tables = load()
    scanned = tokenize(text, tables)
    reader = _Reader(scanned.tokens, Machine(tables, TreeBuilder(text).actions, [tables.starts["start"]]))
    reader.run()
    return Reading(tuple(reader.marks), scanned.comments, reader.machine, reader.broken)


class _Reader:
    """Feeds the machine, mends what is easily mended, skips the rest of a statement otherwise."""

    def __init__(self, tokens: list[Token], machine: Machine) -> None:
        self.tokens = tokens
        self.machine = machine
        self.marks: list[Mark] = []
        self.mended = -1
        self.broken = False

    def run(self) -> None:
        i = 0
        while self.tokens[i].kind != END:
            i = self._step(i)

    def _step(self, i: int) -> int:
        token = self.tokens[i]
        if not self.machine.too_deep and self.machine.feed(token):
            self._mark(token)
            return i + 1
        mistake = messages.syntax_error(self.machine, self.tokens, i)
        if mistake.replace is not None and self.machine.feed(token._replace(kind=mistake.replace)):
            self._mark(token)
            return i + 1
        if mistake.insert is not None and self.mended != i:
            self.mended = i
            if self.machine.feed(Token(mistake.insert, "", token.start, token.start, token.line, token.column)):
                return i
        return self._skip(i)

    def _mark(self, token: Token) -> None:
        self.broken = False
        if not (token.kind == "NAME" or token.kind.isidentifier()):
            self.marks.append(Mark(token, token.kind, None))
            return
        *before, top = items(self.machine)
        self.marks.append(Mark(token, top.symbol, place(before) if top.symbol == "NAME" else None))

    def _skip(self, i: int) -> int:
        self.machine.finish_statement()
        self.machine.drop_statement()
        self.broken = True
        self.marks.append(Mark(self.tokens[i], "", None))
        i += 1
        while self.tokens[i].kind != END and not self._begins_line(i):
            self.marks.append(Mark(self.tokens[i], "", None))
            i += 1
        return i

    def _begins_line(self, i: int) -> bool:
        return self.tokens[i].kind in STATEMENTS and self.tokens[i].line != self.tokens[i - 1].line
