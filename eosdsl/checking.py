"""Checking a spec: everything that can be said about a text, as diagnostics; it never raises for what the text says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eosdsl.allowances import apply_allowances
from eosdsl.collection import collects_later
from eosdsl.diagnostics import Diagnostic, Severity, SpecError, error
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.parsing import source_of
from eosdsl.passes.resolve import resolve
from eosdsl.rules.base import Subject
from eosdsl.rules.registry import run_rules
from eosdsl.source import SourceFile
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_syntax

if TYPE_CHECKING:
    from eosdsl.ir.schedule import Schedule

CODES = {
    "E0697": """The checker failed on this text: a fault of eosdsl, not of the spec.

    The other files are checked all the same. Please report the text together with the message.
    """,
}


def check(
    path_or_text: str | Path,
    model: Any = None,
    *,
    settings: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> list[Diagnostic]:
    """All findings on a spec, by position: syntax, names and types, rules, and on a `model` its flow of tokens.

    Args:
        path_or_text: a `Path` is a file; a `str` is text unless it ends in `.eos` and has no newline.
        model: a shipped name, a folder, a config or a model; None checks what holds for any.
        settings: values for the spec's params, as text (`--set`).
        allow_outside: let `use` take in files outside the spec's own folder.
    """
    try:
        source = source_of(path_or_text)
    except SpecError as problem:
        return problem.diagnostics
    return check_source(source, model, settings=settings, allow_outside=allow_outside)


@collects_later
def check_source(
    source: SourceFile,
    model: Any = None,
    *,
    settings: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> list[Diagnostic]:
    """`check` for a text that has been read."""
    try:
        found = _findings(source, model, settings or {}, allow_outside)
    except SpecError as problem:
        found = problem.diagnostics
    except Exception as problem:
        what = " ".join(f"{type(problem).__name__}: {problem}".split())
        return [error("E0697", f"the checker failed: {what[:300]}", helps=("please report it with the spec",))]
    return _in_order(found)


def _findings(source: SourceFile, model: Any, settings: Mapping[str, str], allow_outside: bool) -> list[Diagnostic]:
    file, found = parse_syntax(source)
    if file is None:
        return found
    program, more = resolve(file, source, settings=settings, allow_outside=allow_outside)
    found = [*found, *more]
    if program is None or _has_errors(found):
        return found
    schedule, bound = _bind(program, model)
    found = [*found, *bound, *_rule_findings(program, file, source, schedule, settings)]
    return apply_allowances(found, file, source)


def _bind(program: DiscreteProgram | RelaxedProgram, model: Any) -> tuple[Schedule | None, list[Diagnostic]]:
    """The schedule on a model, and what is found on the way; a space has findings only. Nothing without a model."""
    if model is None:
        return None, []
    from eosdsl.cost.expect import check_expectations
    from eosdsl.cost.space_check import check_space
    from eosdsl.models.registry import facts
    from eosdsl.passes.bind import bind

    known = facts(model)
    if isinstance(program, RelaxedProgram):
        return None, check_space(program, known)
    schedule, found = bind(program, known)
    return schedule, found if schedule is None else [*found, *check_expectations(schedule)]


def _rule_findings(
    program: DiscreteProgram | RelaxedProgram,
    file: tree.File,
    source: SourceFile,
    schedule: Schedule | None,
    settings: Mapping[str, str],
) -> list[Diagnostic]:
    return list(run_rules(Subject(program, file, source, schedule, settings)))


def _has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    return any(d.severity is Severity.ERROR for d in diagnostics)


def _in_order(diagnostics: Sequence[Diagnostic]) -> list[Diagnostic]:
    """By file and position, each finding once."""
    if not diagnostics:
        return []
    unique = {(d.code, d.message, d.span): d for d in reversed(diagnostics)}
    return sorted(unique.values(), key=_place)


def _place(diagnostic: Diagnostic) -> tuple[str, int, int, str, str]:
    span = diagnostic.span
    if span is None:
        return ("", -1, -1, diagnostic.code, diagnostic.message)
    return (span.file, span.start, span.end, diagnostic.code, diagnostic.message)
