"""The text of one step, `retain 25% by norm(hidden) via merge`: what follows the colon of an `at` statement."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Label, SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, Step
from eosdsl.source import SourceFile, Span

# a line of its own, so that columns of the step's first line stay what the caller wrote
_HEAD = "at layer 1:\n"


@lru_cache(maxsize=256)
def read_step(text: str) -> Step:
    """The step that the text means; SpecError with spans into the text itself."""
    from eosdsl.passes.resolve import resolve
    from eosdsl.syntax.parse import parse_syntax

    own = SourceFile("<step>", text)
    whole = SourceFile("<step>", _HEAD + text)
    tree, found = parse_syntax(whole)
    _refuse(found, own)
    if tree is None:
        raise SpecError([_not_one_step(own)], own)
    program, found = resolve(tree, whole)
    _refuse(found, own)
    if not isinstance(program, DiscreteProgram) or len(program.steps) != 1:
        raise SpecError([_not_one_step(own)], own)
    return program.steps[0]


def own_span(span: Span | None) -> Span | None:
    """A span of the step as it was parsed, in the text that the caller gave."""
    if span is None:
        return None
    start, end = max(span.start - len(_HEAD), 0), max(span.end - len(_HEAD), 0)
    if span.line == 1:
        return Span(start, end, 1, 1, 1, 1, span.file)
    return Span(start, end, span.line - 1, span.column, span.end_line - 1, span.end_column, span.file)


def own_diagnostic(found: Diagnostic) -> Diagnostic:
    """The diagnostic with all its spans in the caller's text."""
    labels = tuple(Label(own, label.text) for label in found.labels if (own := own_span(label.span)) is not None)
    return replace(found, span=own_span(found.span), labels=labels, fix=_own_fix(found.fix))


def _own_fix(fix: Fix | None) -> Fix | None:
    if fix is None:
        return None
    edits = tuple(Edit(own, edit.replacement) for edit in fix.edits if (own := own_span(edit.span)) is not None)
    return replace(fix, edits=edits)


def _refuse(found: Iterable[Diagnostic], source: SourceFile) -> None:
    errors = [own_diagnostic(one) for one in found if one.is_error]
    if errors:
        raise SpecError(errors, source)


def _not_one_step(source: SourceFile) -> Diagnostic:
    return error(
        "E0242",
        "this is not one step with everything decided",
        source.span(0, len(source.text)),
        "expected what follows the colon of one `at` statement",
        helps=("for example `retain 25% by norm(hidden) via merge`",),
    )
