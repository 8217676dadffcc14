"""A call with holes as decided calls: one for every combination of its choices, each with its probability."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from eosdsl.diagnostics import SpecError
from eosdsl.ir.decision_points import DecisionPoint
from eosdsl.ir.holes import Hole, choice_labels, decide_call
from eosdsl.ir.quantities import Call, Open, Value
from eosdsl.ir.space import Space
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.numbers import Chosen
from eosdsl.operators.base import Absorbing, Operator
from eosdsl.operators.binding import bind_call
from eosdsl.operators.registry import Kind


@dataclass(frozen=True)
class Alternative:
    """A decided operator, what has to be chosen for it, and its parameters that stay open: (name, decision point)."""

    operator: Any
    chosen: Chosen
    open_parameters: tuple[tuple[str, str], ...] = ()


def alternatives(kind: Kind, call: Call | Open, path: str, space: Space) -> list[Alternative]:
    """The operators that a call, or a choice among calls, at `path` may turn out to be.

    Raises:
        SpecError: E0520 where something is open that has no gradient.
    """
    if isinstance(call, Call):
        return _of_call(kind, call, path, space, ())
    labels = choice_labels(call)
    return [
        alternative
        for place, (choice, label) in enumerate(zip(call.choices, labels, strict=True))
        if isinstance(choice, Call)
        for alternative in _of_call(kind, choice, f"{path}.{label}", space, ((path, place),))
    ]


def _of_call(kind: Kind, call: Call, path: str, space: Space, before: Chosen) -> list[Alternative]:
    done: list[Alternative] = []
    waiting: list[Chosen] = [()]
    while waiting:
        assigned = waiting.pop(0)
        found, undecided, open_parameters = _decided(kind, call, path, space, dict(assigned))
        if undecided is None:
            done.append(Alternative(_bound(kind, found), (*before, *assigned), open_parameters))
            continue
        waiting += [(*assigned, (undecided.id, place)) for place in range(len(undecided.choices))]
    return done


def _decided(
    kind: Kind, call: Call, path: str, space: Space, assigned: dict[str, int]
) -> tuple[Call, DecisionPoint | None, tuple[tuple[str, str], ...]]:
    """The call with the choices that are assigned, the first that is not, and parameters that stay open numbers."""
    undecided: list[DecisionPoint] = []
    open_parameters: list[tuple[str, str]] = []
    without_gradient: list[DecisionPoint] = []

    def decide(hole: Hole) -> Value:
        point = space.point(hole.path)
        if point.kind == "choice":
            if point.id in assigned:
                return point.choices[assigned[point.id]]
            undecided.append(point)
            return hole.open
        if kind == "behaviours" and point.kind == "real" and hole.path == f"{path}.{hole.parameter}":
            open_parameters.append((str(hole.parameter), point.id))
        else:
            without_gradient.append(point)
        return point.exact(point.prior)

    made = decide_call(kind, call, path, decide)
    if not undecided and without_gradient:
        point = without_gradient[0]
        what = point.id.rpartition(".")[2]
        refuse(
            "E0520",
            f"`{what}` of {call.name} has no gradient: it cannot be searched between bounds",
            "name some values to choose among: `? {a, b}`",
            span=point.span,
        )
    return made, undecided[0] if undecided else None, tuple(open_parameters)


def _bound(kind: Kind, call: Call) -> Operator:
    bound, problems = bind_call(kind, call)
    if bound is None:
        raise SpecError(problems)
    return bound


def with_parameters(behaviour: Absorbing, given: dict[str, Any]) -> Absorbing:
    """The behaviour with tensors for some of its parameters: its tensor function takes them as it takes numbers."""
    return behaviour.model_copy(update=given) if given else behaviour
