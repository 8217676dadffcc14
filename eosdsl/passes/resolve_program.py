"""The program itself: an operator where nothing is left open, else a space; and what may not stand in which."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeVar

from eosdsl.diagnostics import error
from eosdsl.ir.nodes import Constraint, DiscreteProgram, RelaxedProgram, Step
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_order import order_steps
from eosdsl.passes.resolve_space import constraint, objective, search_settings
from eosdsl.passes.resolve_use import Placed
from eosdsl.source import SourceFile, Span
from eosdsl.syntax import tree

T = TypeVar("T")
_SPACE_ONLY = (tree.Minimise, tree.SubjectTo, tree.SearchWith)
_WORDS: dict[type, str] = {tree.Minimise: "minimise", tree.SubjectTo: "subject to", tree.SearchWith: "search with"}
_EXAMPLE = "a spec says where, how many and what becomes of the rest: `at layer 2: retain 50% via prune`"


class Parts(NamedTuple):
    """What operators and spaces are both made of."""

    header: tree.Header | None
    name: str
    family: str | None
    steps: tuple[Step, ...]
    comment: tuple[str, ...]
    span: Span | None
    placed: Sequence[Placed]

    def of(self, *kinds: type[tree.Statement]) -> list[Placed]:
        """The statements of some kinds."""
        return [one for one in self.placed if isinstance(one.statement, kinds)]


def build_program(
    context: Context,
    file: tree.File,
    source: SourceFile,
    header: tree.Header | None,
    placed: Sequence[Placed],
    steps: Sequence[Step],
) -> DiscreteProgram | RelaxedProgram | None:
    """The program of the statements, its steps in forward order; None for a spec that says nothing at all."""
    if not file.statements and not context.found:
        context.report(error("E0114", "this spec is empty", source.span(0, len(source.text)), helps=(_EXAMPLE,)))
    if not file.statements:
        return None
    parts = Parts(
        header,
        header.name.text if header is not None else _name(source),
        header.family.text if header is not None and header.family is not None else None,
        order_steps(steps),
        _opening_comment(file, source),
        header.span if header is not None else file.statements[0].span.to(file.statements[-1].span),
        placed,
    )
    return _space(context, parts) if _is_space(context, parts) else _operator(context, parts)


def _opening_comment(file: tree.File, source: SourceFile) -> tuple[str, ...]:
    if not file.comments:
        return ()
    from eosdsl.syntax.comments import opening_comment

    return opening_comment(file, source.text)


def _name(source: SourceFile) -> str:
    stem = source.path.stem if source.path is not None else ""
    return stem if stem.isidentifier() and stem.isascii() else "unnamed"


def _is_space(context: Context, parts: Parts) -> bool:
    """A file without a header is an operator, unless something is left open or it says how to search."""
    if parts.header is not None:
        return parts.header.kind == "space"
    return bool(parts.of(*_SPACE_ONLY)) or bool(context.open_places)


def _operator(context: Context, parts: Parts) -> DiscreteProgram:
    for one in parts.of(*_SPACE_ONLY):
        with context.within(one.file):
            context.error(
                "E0502",
                f"`{_WORDS[type(one.statement)]}` belongs to a space",
                one.statement.span,
                "an operator is not searched",
                helps=("write `space` in place of `operator`",),
            )
    for span in context.open_places:
        helps = ("write `space` in place of `operator` to leave it to a search",)
        context.report(error("E0501", "an operator leaves nothing open", span, "decide this", helps=helps))
    return DiscreteProgram(
        name=parts.name,
        family=parts.family,
        steps=parts.steps,
        comment=parts.comment,
        span=parts.span,
        expectations=_constraints(context, parts.of(tree.Expect)),
    )


def _space(context: Context, parts: Parts) -> RelaxedProgram:
    goals, searches = parts.of(tree.Minimise), parts.of(tree.SearchWith)
    for again in (*goals[1:], *searches[1:]):
        with context.within(again.file):
            context.error("E0202", "this is said twice", again.statement.span, "again", helps=("keep one of them",))
    for one in parts.of(tree.Expect):
        with context.within(one.file):
            context.error(
                "E0508",
                "`expect` belongs to an operator",
                one.statement.span,
                "a space is not compiled",
                helps=("write `subject to` for what a search has to respect",),
            )
    if parts.header is not None and not context.found and not context.open_places and not context.partial:
        context.error(
            "E0507",
            "this space leaves nothing open",
            parts.header.span,
            "nothing to search",
            helps=("write `operator` in place of `space`, or leave a value open with `?`",),
        )
    goal = None
    for one in goals[:1]:
        with context.within(one.file):
            goal = objective(context, _as(one.statement, tree.Minimise))
    search = ()
    for one in searches[:1]:
        with context.within(one.file):
            search = search_settings(context, _as(one.statement, tree.SearchWith).options)
    return RelaxedProgram(
        name=parts.name,
        family=parts.family,
        steps=parts.steps,
        comment=parts.comment,
        span=parts.span,
        objective=goal,
        constraints=_constraints(context, parts.of(tree.SubjectTo)),
        search=search,
    )


def _as(statement: tree.Statement, kind: type[T]) -> T:
    assert isinstance(statement, kind)
    return statement


def _constraints(context: Context, placed: Iterable[Placed]) -> tuple[Constraint, ...]:
    found: list[Constraint | None] = []
    for one in placed:
        statement = one.statement
        if isinstance(statement, tree.Expect | tree.SubjectTo):
            with context.within(one.file):
                found.extend([constraint(context, written) for written in statement.constraints])
    return tuple(each for each in found if each is not None)
