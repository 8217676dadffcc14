"""What the parts of resolving share: the findings, the names that a spec declares, and where its text is from."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from eosdsl.diagnostics import Diagnostic, Edit, Fix, error
from eosdsl.ir.nodes import ScoreExpr
from eosdsl.ir.quantities import Value
from eosdsl.nearest import nearest
from eosdsl.source import Span
from eosdsl.syntax import tree
from eosdsl.syntax.record import Record


class Declared(Record):
    """A `param` or a `score`, with the file that it stands in (empty: the text at hand)."""

    statement: tree.Param | tree.Score
    file: str


@dataclass
class Context:
    """A builder: findings are added while the program is put together.

    `params` and `scores` hold declarations by name; `open_places` says where something is left open; `legible` names
    that broken statements would have declared, so that using them is not reported once more; `partial`: something of
    the text could not be read.
    """

    found: list[Diagnostic] = field(default_factory=list)
    params: dict[str, Declared] = field(default_factory=dict)
    scores: dict[str, Declared] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    legible: frozenset[str] = frozenset()
    partial: bool = False
    file: str = ""
    param_values: dict[str, Value | None] = field(default_factory=dict)
    score_values: dict[str, ScoreExpr | None] = field(default_factory=dict)
    underway: list[str] = field(default_factory=list)
    open_places: list[Span] = field(default_factory=list)
    checked: set[object] = field(default_factory=lambda: set())

    def at(self, span: Span) -> Span:
        """The span as diagnostics and IR give it: with the file that it is in."""
        return replace(span, file=self.file) if self.file else span

    def report(self, diagnostic: Diagnostic) -> None:
        self.found.append(diagnostic)

    def error(
        self,
        code: str,
        message: str,
        span: Span,
        label: str = "",
        *,
        notes: tuple[str, ...] = (),
        helps: tuple[str, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Add an error at a span of the file at work."""
        self.found.append(error(code, message, self.at(span), label, notes, helps, fix))

    def unknown(
        self, code: str, what: str, word: tree.Word, known: Iterable[str], *, notes: tuple[str, ...] = ()
    ) -> None:
        """Add an error about a name that is none of the known ones, with the nearest of them."""
        self.unknown_at(code, what, word.text, word.span, known, notes=notes)

    def unknown_at(
        self, code: str, what: str, name: str, span: Span, known: Iterable[str], *, notes: tuple[str, ...] = ()
    ) -> None:
        known = sorted(known)
        near = nearest(name, known)
        listed = (f"known: {', '.join(known)}",) if known else ()
        helps = (f"did you mean `{near}`?",) if near else ()
        fix = self.replacement(span, near) if near else None
        self.error(
            code,
            f"there is no {what} named `{name}`",
            span,
            "unknown name",
            notes=(*notes, *listed),
            helps=helps,
            fix=fix,
        )

    def replacement(self, span: Span, text: str, *, safe: bool = False) -> Fix:
        """A fix that writes `text` over a span."""
        return Fix(f"write `{text}`", (Edit(self.at(span), text),), "safe" if safe else "unsafe")

    @contextmanager
    def within(self, file: str) -> Generator[None]:
        """Work in another file for a while."""
        before, self.file = self.file, file
        try:
            yield
        finally:
            self.file = before
