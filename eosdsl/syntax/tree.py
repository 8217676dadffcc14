"""The syntax tree: what was written, before it means anything. Frozen; spans take no part in equality.

The tree keeps the writer's choice of words (`25%` or `1/4`, `input` or `layer 0`), so that the formatter can give it
back; `eosdsl.passes.resolve` turns it into the typed program.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from eosdsl.source import Span
from eosdsl.syntax.record import Record


class Word(Record):
    """A name as it was written."""

    text: str
    span: Span


class Number(Record):
    """`0.2`, `64 tokens`, `25%`, `1/3`; `text` without unit and without inner blanks, `%` included."""

    text: str
    form: Literal["number", "percent", "fraction"]
    unit: str | None
    span: Span

    @property
    def value(self) -> Fraction:
        """The exact value; a percentage as a ratio. The parser has refused absurd sizes and zero denominators."""
        digits = self.text.removesuffix("%")
        one = 100 if self.form == "percent" else 1
        whole, _, decimals = digits.partition(".")
        if whole.isdecimal() and (decimals.isdecimal() or not decimals):
            # the same as below, which costs ten times as much
            return Fraction(int(whole + decimals), one * 10 ** len(decimals))
        return Fraction(digits) / one


class Dims(Record):
    """`2x2`, rows by columns."""

    rows: int
    columns: int
    span: Span


class Text(Record):
    """A quoted text, without its quotes."""

    text: str
    span: Span


class Argument(Record):
    """`name: value`, or a value without a name."""

    name: Word | None
    value: Expression
    span: Span


class Call(Record):
    """`top`, `norm(hidden)`: a name with its arguments; no arguments and no parentheses are the same."""

    name: Word
    arguments: tuple[Argument, ...]
    span: Span


class Rule(Record):
    """`mass 90%`, `distance 0.21`: a name with one number."""

    name: Word
    amount: Number
    span: Span


class Paren(Record):
    """An expression in parentheses."""

    inner: Expression
    span: Span


class Negative(Record):
    """`-x`."""

    operand: Expression
    span: Span


class Product(Record):
    """`a * b * …`, at least two factors."""

    factors: tuple[Expression, ...]
    span: Span


class Term(Record):
    """One signed term of a sum."""

    sign: Literal["+", "-"]
    value: Expression
    span: Span


class Sum(Record):
    """`a + b - …`, at least two terms; the first has the sign +."""

    terms: tuple[Term, ...]
    span: Span


class Hole(Record):
    """A value left open: `?`, `? lo..hi`, `? {a, b}`, each with an optional prior."""

    low: Expression | None
    high: Expression | None
    choices: tuple[Expression, ...]
    prior: Expression | None
    span: Span


class Ramp(Record):
    """`2 -> 0.05 along cosine`."""

    start: Expression
    end: Expression
    curve: Call | None
    span: Span


Expression = Number | Dims | Text | Call | Rule | Paren | Negative | Product | Sum | Hole | Ramp


class LayerRef(Record):
    """One layer: an index, a share of the depth (`share` where the word depth is not beside it), a param's name."""

    form: Literal["index", "negative", "share", "depth", "name"]
    value: Number | Word
    span: Span


class LayerItem(Record):
    """One layer, or a range with both ends."""

    first: LayerRef
    last: LayerRef | None
    span: Span


class Count(Record):
    """`3` or `1..3`."""

    low: Number
    high: Number | None
    span: Span


class Site(Record):
    """The place of an `at` statement. `word` and `items` are empty for `input` and `encoder output`."""

    place: Literal["input", "output", "layers"]
    tower: Literal["decoder", "encoder"]
    word: Literal["layer", "layers", "depth"] | None
    items: tuple[LayerItem, ...]
    after_attention: bool
    choose: Count | None
    span: Span


class Amount(Record):
    """How many, at one site; `of` is the word after `of`."""

    value: Expression
    of: Word | None
    span: Span


class Budget(Record):
    """`retain` or `remove` with a list of amounts, or a ramp from `start` to the one amount."""

    verb: Literal["retain", "remove"]
    amounts: tuple[Amount, ...]
    start: Amount | None
    curve: Call | None
    span: Span


class Part(Record):
    """One part of a mix."""

    weight: Expression | None
    behaviour: Call
    span: Span


class Mix(Record):
    """`mix(0.6 merge, 0.4 prune)`."""

    parts: tuple[Part, ...]
    span: Span


class Option(Record):
    """`positions: compact` (value), `proportional_attention` (neither), `keep cls` (word)."""

    name: Word
    value: Expression | None
    word: Word | None
    span: Span


class By(Record):
    """What makes a token worth keeping."""

    value: Expression
    span: Span


class Pick(Record):
    """How anchors are chosen."""

    value: Call | Hole
    span: Span


class Via(Record):
    """What becomes of the others."""

    value: Call | Hole | Mix
    span: Span


class With(Record):
    """Bookkeeping."""

    options: tuple[Option, ...]
    span: Span


Clause = By | Pick | Via | With


class Group(Record):
    """One group of anchors. `budget` is None where only a pick that brings its own count was written."""

    budget: Budget | None
    by: By | None
    pick: Pick | None
    via: Via | None
    options: With | None
    span: Span

    @property
    def clauses(self) -> tuple[Budget | Clause, ...]:
        """The budget and the clauses that were written, in reading order."""
        parts = (self.budget, self.by, self.pick, self.via, self.options)
        return tuple(part for part in parts if part is not None)


class Constraint(Record):
    """Two measures compared."""

    left: Expression
    comparison: str
    right: Expression
    span: Span


class Version(Record):
    """`eos 1`."""

    number: Number
    span: Span


class Header(Record):
    """`operator NAME for FAMILY` or `space NAME for FAMILY`."""

    kind: Literal["operator", "space"]
    name: Word
    family: Word | None
    span: Span


class Use(Record):
    """`use "file.eos"`."""

    path: Text
    span: Span


class Param(Record):
    """`param NAME = VALUE`."""

    name: Word
    value: Expression
    span: Span


class Score(Record):
    """`score NAME = SCORE`."""

    name: Word
    value: Expression
    span: Span


class At(Record):
    """`at SITE: GROUP and GROUP …`."""

    site: Site
    groups: tuple[Group, ...]
    span: Span


class Minimise(Record):
    """`minimise OBJECTIVE`."""

    value: Expression
    span: Span


class SubjectTo(Record):
    """`subject to CONSTRAINT, …`."""

    constraints: tuple[Constraint, ...]
    span: Span


class SearchWith(Record):
    """`search with OPTION, …`."""

    options: tuple[Option, ...]
    span: Span


class Expect(Record):
    """`expect CONSTRAINT, …`."""

    constraints: tuple[Constraint, ...]
    span: Span


Statement = Version | Header | Use | Param | Score | At | Minimise | SubjectTo | SearchWith | Expect


class Comment(Record):
    """`# …`, from the sign to the end of the line, without trailing blanks. `own_line`: nothing stands before it."""

    APART = frozenset({"span", "own_line"})

    text: str
    own_line: bool
    span: Span


class Broken(Record):
    """A statement that could not be read: its keyword and the name that it would have declared, where legible.

    `rest`: it is the rest of the statement before it, which is kept without.
    """

    keyword: str
    name: str | None
    rest: bool
    span: Span


class File(Record):
    """A whole file, in source order. `broken` holds what recovery skipped; a diagnostic was given for each."""

    statements: tuple[Statement, ...]
    comments: tuple[Comment, ...]
    broken: tuple[Broken, ...] = ()
