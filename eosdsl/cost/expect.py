"""`expect` clauses: promises of a spec, held against what it costs on the model at hand (E0330, E0331)."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from fractions import Fraction

from eosdsl.cost.account import Cost, full_cost, schedule_cost
from eosdsl.cost.latency import LatencyProfile, refuse_other_model
from eosdsl.cost.measures import Amounts, amounts, measure, measure_name
from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.nodes import Constraint
from eosdsl.ir.quantities import Quantity, Unit
from eosdsl.ir.schedule import Schedule

UNMET = "E0330"
UNMEASURED = "E0331"
_COMPARE: dict[str, Callable[[Fraction, Fraction], bool]] = {"<=": operator.le, ">=": operator.ge, "=": operator.eq}


def check_expectations(
    schedule: Schedule, *, text_tokens: int = 64, images: int = 1, profile: LatencyProfile | None = None
) -> list[Diagnostic]:
    """The clauses that do not hold, each with the value that it has. Budgets that adapt count with their most.

    `latency` is judged by a machine's profile; without one it is E0331. Raises SpecError (E0668) where the profile is
    of another model.
    """
    if not schedule.expectations:
        return []
    reduced, full = schedule_amounts(schedule, text_tokens, images, profile)
    return [found for one in schedule.expectations for found in _check(one, schedule, reduced, full)]


def schedule_amounts(
    schedule: Schedule, text_tokens: int, images: int, profile: LatencyProfile | None = None
) -> tuple[Amounts[Fraction], Amounts[Fraction]]:
    """What measures look at: of the schedule, and of the model without reduction."""
    known = schedule.model
    reduced, full = schedule_cost(schedule, text_tokens, images), full_cost(known, text_tokens, images)
    if profile is None:
        return amounts(reduced), amounts(full)
    refuse_other_model(profile, known.name, known.decoder.layers, known.decoder.width)
    sites = sum(reduction.retained < reduction.incoming for reduction in schedule.reductions)
    return (
        amounts(reduced, _milliseconds(profile, reduced, full, sites, text_tokens, images)),
        amounts(full, _milliseconds(profile, full, full, 0, text_tokens, images)),
    )


def predicted(
    schedule: Schedule, text_tokens: int, images: int, profile: LatencyProfile | None
) -> tuple[float | None, float | None]:
    """Milliseconds of a prefill, reduced and full, as a profile predicts them; None without one."""
    if profile is None:
        return None, None
    reduced, full = schedule_amounts(schedule, text_tokens, images, profile)
    assert reduced.latency is not None and full.latency is not None
    return float(reduced.latency), float(full.latency)


def _milliseconds(profile: LatencyProfile, cost: Cost, full: Cost, sites: int, text_tokens: int, images: int) -> float:
    rows = [float(text_tokens + images * layer.entering) for layer in cost.decoder]
    in_mlp = [float(text_tokens + images * layer.in_mlp) for layer in cost.decoder]
    before, left = (one.macs.tower + one.macs.projector for one in (full, cost))
    tower = left / before if before else 1.0
    return profile.prefill(rows, float(sites), float(cost.macs.reducers), in_mlp, tower)


def _check(
    clause: Constraint, schedule: Schedule, reduced: Amounts[Fraction], full: Amounts[Fraction]
) -> Iterator[Diagnostic]:
    try:
        unit, value, whole = measure(clause.measure, reduced, full)
        limit = _limit(clause.bound, unit, whole)
    except SpecError as problem:
        yield from problem.diagnostics
        return
    if _COMPARE[clause.comparison](value, limit):
        return
    told, actual = clause.bound, _text(value, unit)
    if told.unit == "ratio":
        actual = f"{_percent(value / whole)} ({actual} of {_text(whole, unit)})" if whole else actual
    message = (
        f"expected {measure_name(clause.measure)} {clause.comparison} {_bound_text(told, unit)}, but it is {actual}"
    )
    yield error(UNMET, message, clause.span, f"on {schedule.model.name}")


def _limit(bound: Quantity, unit: Unit, whole: Fraction) -> Fraction:
    """The bound in the measure's unit: a ratio is of the full model, a bare number takes the unit."""
    if bound.unit == "ratio":
        return bound.value * whole
    if bound.unit in ("number", unit):
        return bound.value
    message = f"{_article(unit)} cannot be compared with {_article(bound.unit)}"
    raise SpecError([error(UNMEASURED, message, bound.span, f"expected {_article(unit)} or a ratio")])


def _article(unit: Unit) -> str:
    names = {
        "tokens": "a number of tokens",
        "flops": "FLOPs",
        "bytes": "bytes",
        "ratio": "a ratio",
        "milliseconds": "a time",
    }
    return names.get(unit, unit)


def _bound_text(bound: Quantity, unit: Unit) -> str:
    return _percent(bound.value) if bound.unit == "ratio" else _text(bound.value, unit)


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):.4g}%"


def _text(value: Fraction, unit: Unit) -> str:
    """Short, but never so short that two different values look the same as whole numbers do."""
    if unit == "tokens":
        return f"{float(value):.7g}"
    if unit == "milliseconds":
        return f"{float(value):.4g} ms"
    for size, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if value >= size:
            return f"{float(value / size):.4g} {prefix}{'FLOPs' if unit == 'flops' else 'B'}"
    return f"{float(value):g} {'FLOPs' if unit == 'flops' else 'B'}"
