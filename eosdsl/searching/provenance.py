"""A derived operator as text: where it comes from, how it does, and the promises that it keeps."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from fractions import Fraction

from eosdsl.cost.expect import check_expectations, schedule_amounts
from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.measures import measure, measure_name
from eosdsl.ir.nodes import Constraint, DiscreteProgram
from eosdsl.ir.quantities import Argument, Call, Quantity, Word
from eosdsl.ir.schedule import Schedule
from eosdsl.ir.spell import spell
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind
from eosdsl.searching.judge import Verdict


@dataclass(frozen=True)
class Origin:
    """Where a search's result comes from. `spec` and `model` with the first digits of their sha256; `how`: the way of
    searching and how long; `data` and `questions`: what it was measured on."""

    spec: str
    spec_hash: str
    model: str
    model_hash: str
    seed: int
    how: str
    data: str
    questions: int


def stamped(
    program: DiscreteProgram,
    constraints: tuple[Constraint, ...],
    facts: ModelFacts,
    origin: Origin,
    verdict: Verdict,
    full: Verdict,
    profile: LatencyProfile | None = None,
) -> DiscreteProgram:
    """The program with its provenance as comments, a name that tells its budget, and `expect` clauses that hold."""
    named = program.model_copy(update={"name": _name(program.name, constraints)})
    schedule, _ = bind(named, facts)
    assert schedule is not None  # it has been compiled and measured
    comment = (
        f"derived from {origin.spec} (sha256 {origin.spec_hash}), {origin.how}, seed {origin.seed}; "
        f"model {origin.model} (sha256 {origin.model_hash})",
        f"task {verdict.accuracy:.3f} (full model {full.accuracy:.3f}), loss {float(verdict.task.mean()):.4f} "
        f"(full model {float(full.task.mean()):.4f}) on {origin.questions} questions of {origin.data}",
        *_held(constraints, schedule, profile),
    )
    # a promise of milliseconds holds on one machine: it stays in the comment
    promised = tuple(one.model_copy(update={"span": None}) for one in constraints if one.measure.name != "latency")
    kept = promised if not check_expectations(_expecting(schedule, promised)) else ()
    return named.model_copy(update={"comment": comment, "expectations": kept})


def text_of(program: DiscreteProgram) -> str:
    """As an `.eos` file holds it."""
    return spell(program)


def text_hash(text: str) -> str:
    """The first digits of a text's sha256."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _name(name: str, constraints: tuple[Constraint, ...]) -> str:
    """`hybrid` under `tokens(mean) <= 64` becomes `hybrid_64`."""
    for one in constraints:
        if one.measure.name == "tokens":
            bound = one.bound.value * (100 if one.bound.unit == "ratio" else 1)
            return f"{name}_{float(bound):g}".replace(".", "_")
    return name


def _held(constraints: tuple[Constraint, ...], schedule: Schedule, profile: LatencyProfile | None) -> tuple[str, ...]:
    if not constraints:
        return ()
    reduced, full = schedule_amounts(schedule, 64, 1, profile)
    told: list[str] = []
    for one in constraints:
        unit, value, whole = measure(one.measure, reduced, full)
        if one.bound.unit == "ratio":
            shown = f"{float(100 * value / whole):.4g}% {one.comparison} {float(100 * one.bound.value):g}%"
        else:
            shown = f"{float(value):.6g} {one.comparison} {float(one.bound.value):g} {unit}"
        told.append(f"{measure_name(one.measure)} {shown}")
    return (", ".join(told),)


def _expecting(schedule: Schedule, promised: tuple[Constraint, ...]) -> Schedule:
    return schedule.model_copy(update={"expectations": promised})


def with_bound(constraints: tuple[Constraint, ...], tokens: int) -> tuple[Constraint, ...]:
    """The constraints with another bound on tokens: what `--budgets` goes through. Without one on tokens, one on their
    mean is added."""
    bound = Quantity(value=Fraction(tokens), unit="tokens")
    changed = tuple(
        one.model_copy(update={"bound": bound}) if one.measure.name == "tokens" else one for one in constraints
    )
    if any(one.measure.name == "tokens" for one in constraints):
        return changed
    mean = Call(name="tokens", arguments=(Argument(value=Word(name="mean")),))
    return (Constraint(measure=mean, bound=bound), *constraints)
