"""Text to syntax tree. Several mistakes in several statements give several diagnostics: recovery is by statement.

A mistake whose remedy is plain (a misspelt keyword, a missing colon) is mended on the fly, so that what follows it is
still understood; otherwise reading goes on at the next statement keyword that begins a line.
"""

from __future__ import annotations

from eosdsl.collection import collects_later
from eosdsl.diagnostics import Diagnostic
from eosdsl.source import SourceFile
from eosdsl.syntax import messages, tree
from eosdsl.syntax.automaton import DEEPEST, Machine
from eosdsl.syntax.build import ACTIONS, TreeBuilder
from eosdsl.syntax.keywords import STATEMENTS
from eosdsl.syntax.tables import END, Tables, load
from eosdsl.syntax.tokens import Token, span_of, tokenize

# After this many mistakes the text is taken for something other than a spec.
MOST_MISTAKES = 200


@collects_later
def parse_syntax(source: SourceFile) -> tuple[tree.File | None, list[Diagnostic]]:
    """The tree of a text, and what is wrong with it. The tree leaves out statements that could not be read; it is
    None only where nothing at all could be. Never raises for any text."""
    tables = load()
    scanned = tokenize(source.text, tables)
    builder = TreeBuilder(source.text)
    reader = Reader(tables, scanned.tokens, builder)
    statements = reader.read()
    problems = [*reader.problems, *builder.problems]
    if problems:
        # what was read twice, after going back, is reported once
        problems = list({(p.code, p.span): p for p in sorted(problems, key=_place)}.values())
    if not statements and (reader.broken or problems):
        return None, problems
    return tree.File(statements, scanned.comments, tuple(reader.broken)), problems


def parse_value(text: str) -> tuple[tree.Expression | None, list[Diagnostic]]:
    """A value on its own, as in `--set budget=16`; spans count from the start of `text`."""
    tables = load()
    tokens = tokenize(text, tables).tokens
    builder = TreeBuilder(text)
    machine = Machine(tables, ACTIONS, builder, [tables.starts["value"]])
    for i, token in enumerate(tokens):
        if len(machine.states) > DEEPEST:
            return None, [messages.too_deep(token)]
        if not machine.feed(token):
            return None, [messages.syntax_error(machine, tokens, i).diagnostic]
    return (None if builder.problems else machine.result), builder.problems


def _place(problem: Diagnostic) -> int:
    return problem.span.start if problem.span is not None else 0


class Reader:
    """Runs the machine over the tokens of a file, mending and skipping. Every token passes through `take`."""

    def __init__(self, tables: Tables, tokens: list[Token], builder: TreeBuilder) -> None:
        self.tokens = tokens
        self.machine = Machine(tables, ACTIONS, builder, [tables.starts["start"]])
        self.problems: list[Diagnostic] = []
        self.broken: list[tree.Broken] = []
        self.begun = 0  # index of the token that the statement at hand began with
        self.mended = -1  # index of the token before which something was inserted

    def read(self) -> tuple[tree.Statement, ...]:
        self.advance(len(self.tokens))
        return self.machine.result

    def advance(self, stop: int) -> None:
        """Read up to token `stop`; short of the last one the statement at hand stays as it is, on the machine."""
        tokens, machine = self.tokens, self.machine
        i = 0
        while i < stop:
            if not self.take(tokens[i], i):
                i = self._mend(i)
            elif len(machine.states) > DEEPEST:
                self.problems.append(messages.too_deep(tokens[i]))
                i = self._skip(i)
            else:
                i += 1

    def take(self, token: Token, i: int) -> bool:
        """Feed a token in the place of token `i`; False where it cannot stand there. One without text was missing."""
        if not self.machine.feed(token):
            return False
        if token.kind in STATEMENTS and self.machine.begins_statement:
            self.begun = i
        return True

    def _mend(self, i: int) -> int:
        """Report the token at `i`, which cannot stand there; returns the index to go on at."""
        if len(self.problems) >= MOST_MISTAKES:
            return self._give_up()
        earlier = self._swallowed(i)
        if earlier is not None:
            i = self._rewind(earlier)
        found = messages.syntax_error(self.machine, self.tokens, i)
        self.problems.append(found.diagnostic)
        token = self.tokens[i]
        if found.ignore:
            return i + found.width
        if found.replace is not None and self.take(token._replace(kind=found.replace, text=found.replace), i):
            self.mended = i
            return i + found.width
        if found.insert and self.mended != i:
            self.mended = i
            inserted = Token(found.insert, "", token.start, token.start, token.line, token.column)
            return i if self.take(inserted, i) else self._skip(i)
        return self._skip(i)

    def _swallowed(self, i: int) -> int | None:
        """A statement keyword that begins a line and was taken for a name, as the statement before it is not complete.

        Keywords are names where only a name can stand; the mistake at `i` shows that this one was not meant as one.
        """
        return None if self.mended > self.begun else self._next_line(i)

    def _next_line(self, i: int) -> int | None:
        """The first keyword of a statement before token `i` that begins a line within the statement at hand."""
        return next((j for j in range(self.begun + 1, i) if self._begins_line(j)), None)

    def _rewind(self, j: int) -> int:
        """Back to just before token `j` of the statement at hand."""
        self.machine.drop_statement()
        for token in self.tokens[self.begun : j]:
            self.machine.feed(token)
        return j

    def _skip(self, i: int) -> int:
        """Leave out what is wrong, up to the next statement keyword that begins a line.

        A statement that is whole without the token at fault is kept.
        """
        tokens = self.tokens
        swallowed = self._next_line(i)
        rest = swallowed is None and self.machine.finish_statement()
        if rest:
            self.begun = i
        j = i if swallowed is None else swallowed
        while tokens[j].kind != END and not (self._begins_line(j) or self._looks_like_a_statement(j, i)):
            j += 1
        self.machine.drop_statement()
        self._record(j, rest)
        return j

    def _begins_line(self, j: int) -> bool:
        token = self.tokens[j]
        return token.kind in STATEMENTS and (j == 0 or self.tokens[j - 1].line != token.line)

    def _looks_like_a_statement(self, j: int, i: int) -> bool:
        """A word that is no keyword, not indented, at the start of a later line than that of token `i`."""
        token = self.tokens[j]
        return token.kind == "NAME" and token.column == 1 and token.line > self.tokens[i].line

    def _record(self, stop: int, rest: bool) -> None:
        """Remember what was left out, so that later passes do not wonder at names that it would have declared."""
        skipped = self.tokens[self.begun : stop]
        if not skipped:
            return
        name = skipped[1].text if len(skipped) > 1 and skipped[1].text.isidentifier() else None
        self.broken.append(tree.Broken(skipped[0].text, name, rest, span_of(skipped[0], skipped[-1])))

    def _give_up(self) -> int:
        self.machine.finish_statement()
        self.machine.drop_statement()
        self.machine.feed(self.tokens[-1])
        return len(self.tokens)
