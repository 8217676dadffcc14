"""From syntax tree to typed program: names bound, units checked, defaults written out, other files taken in.

What is wrong is reported with its place; a program comes back only where nothing is. Scores that were not written stay
None: their default depends on the site and the model, and is taken when the program is bound (`eosdsl.passes.bind`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from eosdsl.collection import collects_later
from eosdsl.diagnostics import Diagnostic, Label, Severity, error
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram, Step
from eosdsl.passes.resolve_checks import looks_before_the_start, repeated_sites
from eosdsl.passes.resolve_context import Context, Declared
from eosdsl.passes.resolve_groups import group
from eosdsl.passes.resolve_operators import LANGUAGE
from eosdsl.passes.resolve_options import bookkeeping
from eosdsl.passes.resolve_program import build_program
from eosdsl.passes.resolve_scores import named_score
from eosdsl.passes.resolve_sites import where
from eosdsl.passes.resolve_use import Gatherer, Placed
from eosdsl.passes.resolve_values import param
from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree

NEWEST = 1  # the version of the language


@collects_later
def resolve(
    file: tree.File,
    source: SourceFile,
    *,
    settings: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> tuple[DiscreteProgram | RelaxedProgram | None, list[Diagnostic]]:
    """The program that a file means, or None and why not.

    Args:
        file: the tree, possibly without statements that could not be read.
        source: where it came from; `use` is relative to its path and stays in its folder.
        settings: values for params, as text (`--set NAME=VALUE`).
        allow_outside: let `use` leave the folder.
    """
    context = Context(settings=settings or {})
    context.legible = frozenset(broken.name for broken in file.broken if broken.name)
    context.partial = bool(file.broken)
    placed = list(Gatherer(context, source, allow_outside).gather(file))
    header = _header(context, file)
    if any(problem.code == "E0112" for problem in context.found):
        return None, context.found  # two programs in one file have sites and names twice, and more of that kind
    _declare(context, placed)
    _check_settings(context)
    steps = [step for one in placed if (step := _step(context, one)) is not None]
    _finish_declarations(context)
    program = build_program(context, file, source, header, placed, steps)
    context.found.extend(repeated_sites(steps))
    context.found.extend(looks_before_the_start(steps))
    if any(problem.is_error for problem in context.found):
        return None, _without_consequences(context.found, file)
    return program, context.found


def _without_consequences(found: list[Diagnostic], file: tree.File) -> list[Diagnostic]:
    """Without what is said of statements whose rest could not be read: that has been reported, and explains it."""
    starts = [one.span.start for one in file.statements]
    places = {bisect_left(starts, broken.span.start) - 1 for broken in file.broken if broken.rest}
    partly = [file.statements[place].span for place in places if place >= 0]
    return [one for one in found if not any(_within(one.span, span) for span in partly)]


def _within(span: Span | None, whole: Span) -> bool:
    return span is not None and not span.file and whole.start <= span.start <= whole.end


def _header(context: Context, file: tree.File) -> tree.Header | None:
    """The one header of the file at hand, and its version."""
    headers = [statement for statement in file.statements if isinstance(statement, tree.Header)]
    for second in headers[1:]:
        labels = (Label(second.span, "a second one"), Label(headers[0].span, "the first one"))
        message = "a file holds one operator or one space"
        context.report(Diagnostic("E0112", Severity.ERROR, message, second.span, labels))
    versions = [statement for statement in file.statements if isinstance(statement, tree.Version)]
    for version in versions[1:]:
        context.error("E0112", "the version is stated twice", version.span, "again")
    if versions and versions[0].number.value != NEWEST:
        context.error(
            "E0113",
            f"there is no version {versions[0].number.text} of the language",
            versions[0].number.span,
            f"this eosdsl knows version {NEWEST}",
            fix=context.replacement(versions[0].number.span, str(NEWEST)),
        )
    return headers[0] if headers else None


def _declare(context: Context, placed: Iterable[Placed]) -> None:
    """Note every param and score by name; a name stands for one thing."""
    for one in placed:
        statement = one.statement
        if not isinstance(statement, tree.Param | tree.Score):
            continue
        name = statement.name.text
        with context.within(one.file):
            first = context.params.get(name) or context.scores.get(name)
            if first is not None:
                context.error("E0202", f"`{name}` is defined twice", statement.name.span, "again")
                continue
            taken = [kind for kind, names in LANGUAGE.items() if name in names]
            if taken:
                what = taken[0].removesuffix("s")
                context.error("E0215", f"`{name}` is the name of a {what}", statement.name.span, "choose another name")
                continue
        table = context.params if isinstance(statement, tree.Param) else context.scores
        table[name] = Declared(statement, one.file)


def _check_settings(context: Context) -> None:
    """A setting without a param of its name is an error with the nearest one."""
    for name in context.settings:
        if name in context.params:
            continue
        known = sorted(context.params)
        near = get_close_matches(name, known, n=1)
        helps = (f"did you mean `{near[0]}`?",) if near else ()
        notes = (f"params of this spec: {', '.join(known)}",) if known else ("this spec has no params",)
        context.report(error("E0201", f"there is no param named `{name}` to set", notes=notes, helps=helps))


def _step(context: Context, placed: Placed) -> Step | None:
    statement = placed.statement
    if not isinstance(statement, tree.At):
        return None
    if placed.file == context.file:
        return _at(context, statement)
    with context.within(placed.file):
        return _at(context, statement)


def _at(context: Context, statement: tree.At) -> Step | None:
    sites = where(context, statement.site)
    groups = [group(context, one, sites) for one in statement.groups]
    kept = bookkeeping(context, statement.groups)
    whole = tuple(one for one in groups if one is not None)
    if sites is None or len(whole) < len(groups):
        return None
    return Step(where=sites, groups=whole, bookkeeping=kept, span=context.at(statement.span))


def _finish_declarations(context: Context) -> None:
    """Params and scores that nothing uses are checked all the same."""
    for name, declared in context.params.items():
        with context.within(declared.file):
            param(context, name, declared.statement.name.span)
    for name, declared in context.scores.items():
        with context.within(declared.file):
            named_score(context, name, declared.statement.name.span)
