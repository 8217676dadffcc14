"""A space on a model: do its sites exist, can its constraints be met, and do they bind?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from eosdsl.cost.expect import check_expectations
from eosdsl.diagnostics import Diagnostic, error, warning
from eosdsl.ir.nodes import Constraint, RelaxedProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind
from eosdsl.passes.extremes import End, extreme_member

CODES = {
    "E0510": """A constraint of this space cannot be met.

    Even the member that keeps fewest tokens, with every open budget at its lower end and every open place as early as
    it may be, costs more than the constraint allows on this model. A search would end where it began.

    ```eos
    space s
    at layer 16: retain ? 10%..50%
    minimise task
    subject to tokens(mean) <= 64      # layers 0..15 alone have 576 each
    ```

    Instead, widen the space (lower budgets, earlier layers) or loosen the constraint.
    """,
    "W0511": """A constraint of this space holds whatever is chosen.

    Even the member that keeps most tokens satisfies it on this model, so it never holds the search back, and nothing
    keeps budgets from growing to their upper ends.

    ```eos
    space s
    at layer 2: retain ? 10%..20%
    minimise task
    subject to tokens(mean) <= 400
    ```

    Instead, tighten the constraint, or let the budgets grow further.
    """,
}

_PLACES = ("E0302", "E0321", "E0401", "E0402", "E0404")  # what is wrong with places is so for every member


def check_space(space: RelaxedProgram, facts: ModelFacts) -> list[Diagnostic]:
    """Findings on a space that hold for all of its members."""
    _, found = bind(extreme_member(space, "everywhere"), facts)
    misplaced = [diagnostic for diagnostic in found if diagnostic.code in _PLACES]
    return misplaced or [*_unreachable(space, facts), *_idle(space, facts)]


def _unreachable(space: RelaxedProgram, facts: ModelFacts) -> Iterator[Diagnostic]:
    """Upper bounds that the cheapest member breaks."""
    schedule = _member(space, facts, "fewest")
    for found in check_expectations(schedule) if schedule is not None else ():
        constraint = _of(found, space)
        if found.code != "E0330" or constraint is None or constraint.comparison != "<=":
            continue
        _, _, actual = found.message.partition(", but it is ")
        message = f"no member of this space meets this constraint: the cheapest has {actual}"
        yield replace(error("E0510", message, found.span, f"on {facts.name}"), helps=("widen the space, or loosen it",))


def _idle(space: RelaxedProgram, facts: ModelFacts) -> Iterator[Diagnostic]:
    """Upper bounds that the dearest member keeps."""
    schedule = _member(space, facts, "most")
    if schedule is None:
        return
    broken = {id(_of(found, space)) for found in check_expectations(schedule)}
    for constraint in space.constraints:
        if constraint.comparison == "<=" and id(constraint) not in broken:
            label = f"every member meets it on {facts.name}"
            yield warning("W0511", "this constraint never binds", constraint.span, label)


def _member(space: RelaxedProgram, facts: ModelFacts, end: End) -> Schedule | None:
    return bind(extreme_member(space, end), facts)[0]


def _of(found: Diagnostic, space: RelaxedProgram) -> Constraint | None:
    """The constraint that a finding is about: it stands in it."""
    span = found.span
    for constraint in space.constraints:
        own = constraint.span
        if span is not None and own is not None and own.file == span.file and own.start <= span.start < own.end:
            return constraint
    return None
