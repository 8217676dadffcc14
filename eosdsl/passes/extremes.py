"""Members of a space at its ends: the one that keeps fewest tokens, the one that keeps most, and one at every site.

What is left open is decided as it bears on cost: budgets at their ends, places where reducing saves most or least.
Scores, weights and behaviours cost next to nothing beside the layers, so that a plain one stands for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

from eosdsl.ir.nodes import (
    Amount,
    AttentionBias,
    Bookkeeping,
    Budget,
    DiscreteProgram,
    Group,
    LayerRef,
    RelaxedProgram,
    Step,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Open, Quantity, Word

End = Literal["fewest", "most", "everywhere"]

_NORM = Call(name="norm", arguments=(Argument(value=Word(name="hidden")),))
_ONE = Quantity(value=Fraction(1), unit="tokens")
_ALL = Quantity(value=Fraction(1), unit="ratio")


def extreme_member(space: RelaxedProgram, end: End) -> DiscreteProgram:
    """The member that keeps `fewest` or `most` tokens; `everywhere` reduces at every candidate site, keeping fewest."""
    steps = (_step(step, end) for step in space.steps)
    return DiscreteProgram(
        language=space.language,
        name=space.name,
        family=space.family,
        steps=tuple(step for step in steps if step is not None),
        expectations=space.constraints,
        span=space.span,
    )


def _step(step: Step, end: End) -> Step | None:
    where = _where(step.where, end)
    if where is None:
        return None
    groups = tuple(_group(group, end) for group in step.groups)
    return step.model_copy(update={"where": where, "groups": groups, "bookkeeping": _bookkeeping(step.bookkeeping)})


def _where(where: Where, end: End) -> Where | None:
    """Early layers save most. Where none need be chosen, keeping most is not reducing at all."""
    if where.choose is None or end == "everywhere":
        return where.model_copy(update={"choose": None})
    fewest, most = where.choose
    ordered = sorted(where.layers, key=_depth)
    layers = ordered[:most] if end == "fewest" else ordered[len(ordered) - fewest :]
    return where.model_copy(update={"choose": None, "layers": tuple(layers)}) if layers else None


def _depth(layer: LayerRef) -> tuple[int, Fraction]:
    return (layer.index, Fraction(0)) if layer.index is not None else (0, layer.depth or Fraction(0))


def _group(group: Group, end: End) -> Group:
    pick = _choice(group.pick, "top") if isinstance(group.pick, Open) else _decided(group.pick, end)
    changes = {"budget": _budget(group.budget, end), "score": _NORM, "pick": pick, "behaviour": Call(name="prune")}
    return group.model_copy(update=changes)


def _choice(hole: Open, usual: str) -> Call:
    return next((choice for choice in hole.choices if isinstance(choice, Call)), Call(name=usual))


def _decided(call: Call, end: End) -> Call:
    """The call with its open arguments decided, each at an end."""
    arguments = tuple(
        argument.model_copy(update={"value": _value(argument.value, end)})
        if isinstance(argument.value, Open)
        else argument
        for argument in call.arguments
    )
    return call.model_copy(update={"arguments": arguments})


def _value(hole: Open, end: End) -> object:
    bounds: Sequence[object] = (hole.low, hole.high, *hole.choices, hole.prior)
    given = [bound for bound in bounds if bound is not None]
    return (given[0] if end != "most" else given[-1]) if given else Quantity(value=Fraction(1))


def _budget(budget: Budget, end: End) -> Budget:
    """Open amounts at the end that keeps fewest or most; `remove` turns the ends round."""
    least = (end != "most") == (budget.verb == "retain")
    amounts = tuple(_amount(amount, least) for amount in budget.amounts)
    start = _amount(budget.start, least) if budget.start is not None else None
    return budget.model_copy(update={"amounts": amounts, "start": start})


def _amount(amount: Amount, least: bool) -> Amount:
    if not isinstance(amount.value, Open):
        return amount
    given = [bound for bound in (amount.value.low, amount.value.high, *amount.value.choices) if _is_count(bound)]
    ordered = sorted((bound for bound in given if isinstance(bound, Quantity)), key=lambda bound: bound.value)
    if not ordered:
        return amount.model_copy(update={"value": _ONE if least else _ALL})
    return amount.model_copy(update={"value": ordered[0] if least else ordered[-1]})


def _is_count(bound: object) -> bool:
    return isinstance(bound, Quantity) and bound.unit in ("ratio", "tokens")


def _bookkeeping(bookkeeping: Bookkeeping) -> Bookkeeping:
    bias = bookkeeping.attention_bias
    if isinstance(bias.strength, Open):
        bias = AttentionBias(strength=Quantity(value=Fraction(0)))
    return bookkeeping.model_copy(update={"attention_bias": bias})
