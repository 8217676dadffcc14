"""What a rule is: it looks at a finished program, or at a program bound to a model, and says what it noticed.

One rule a file. The file's docstring is the rule's page: a title line, then `## What it does`, `## Why`, `## Example`
(an `eos` block on which the rule reports) and `## Use instead` (one on which it does not); both blocks are run as
tests. Rules never repeat an error of the language: they see programs that mean something.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, TypeVar

from eosdsl.diagnostics import Diagnostic, Fix, Label, Severity
from eosdsl.ir.nodes import DiscreteProgram, Group, RelaxedProgram
from eosdsl.ir.quantities import Node
from eosdsl.ir.walk import walk
from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree

if TYPE_CHECKING:
    from eosdsl.ir.schedule import Schedule

N = TypeVar("N", bound=Node)

# the pick and the behaviour of a group that names none; default scores are known on a model only
_TAKEN_UNWRITTEN = ("top", "prune")


class Subject:
    """What rules look at: program, syntax tree and source, the schedule where a model was named, and settings.

    Nodes of the program by type are gathered once for all rules.
    """

    def __init__(
        self,
        program: DiscreteProgram | RelaxedProgram,
        file: tree.File,
        source: SourceFile,
        schedule: Schedule | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.program = program
        self.file = file
        self.source = source
        self.schedule = schedule
        self.settings = settings or {}

    def nodes(self, kind: type[N]) -> list[N]:
        """All nodes of one type, in the order of the text."""
        found: list[N] = self._by_type.get(kind, [])  # pyright: ignore[reportAssignmentType] keyed by the type itself
        return found

    @cached_property
    def _by_type(self) -> dict[type[Node], list[Node]]:
        by_type: dict[type[Node], list[Node]] = {}
        for node in walk(self.program):
            by_type.setdefault(type(node), []).append(node)
        return by_type

    @cached_property
    def vocabulary(self) -> str | None:
        """All that the program is made of, as text: what is written, `--set` among it, and what is taken where nothing
        is. None where statements of other files are part of the program: the text at hand is not all that it says."""
        if any(isinstance(statement, tree.Use) for statement in self.file.statements):
            return None
        return " ".join((self.source.text, *self.settings.values(), *_TAKEN_UNWRITTEN))

    @cached_property
    def _groups(self) -> dict[tuple[int, int], tree.Group]:
        steps = (statement for statement in self.file.statements if isinstance(statement, tree.At))
        return {(group.span.start, group.span.end): group for step in steps for group in step.groups}

    def written(self, group: Group) -> tree.Group | None:
        """The group as it was written in the text at hand; None for one of another file."""
        span = group.span
        return self._groups.get((span.start, span.end)) if span is not None and self.is_own(span) else None

    def is_own(self, span: Span | None) -> bool:
        """Whether the span is in the text at hand, so that a fix may edit it."""
        return span is not None and span.file in ("", self.source.name)

    def text(self, span: Span) -> str:
        return self.source.text[span.start : span.end]


class Rule:
    """One rule. Override `check_program`, `check_schedule`, or both.

    `words`: the rule has nothing to say unless one of them stands in the spec; empty where it always may.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.WARNING
    words: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def page(cls) -> str:
        """The rule's page in Markdown: the docstring of its file."""
        return sys.modules[cls.__module__].__doc__ or cls.__doc__ or cls.name

    def check_program(self, subject: Subject) -> Iterable[Diagnostic]:
        """Findings on the program alone."""
        return ()

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterable[Diagnostic]:
        """Findings on the program bound to a model, where one was named."""
        return ()

    def report(
        self,
        message: str,
        span: Span | None,
        label: str = "",
        *,
        also: Iterable[tuple[Span | None, str]] = (),
        helps: tuple[str, ...] = (),
        notes: tuple[str, ...] = (),
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A finding of this rule; `also` are secondary labels, left out where they have no span."""
        labels = [Label(place, text) for place, text in ((span, label), *also) if place is not None]
        return Diagnostic(self.code, self.severity, message, span, tuple(labels), notes, helps, fix)


def reports(rule: Rule, subject: Subject) -> Iterator[Diagnostic]:
    """Everything a rule has to say."""
    yield from rule.check_program(subject)
    if subject.schedule is not None:
        yield from rule.check_schedule(subject, subject.schedule)
