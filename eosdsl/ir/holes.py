"""The holes of a step, each with its path and what it stands for; deciding them one by one.

One walk serves all: it calls `decide` for every hole in the order of the text and builds the step from the answers.
Where the answer is the hole itself it stays open, and the holes inside of its choices are visited too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from eosdsl.ir.nodes import (
    Amount,
    AttentionBias,
    Behaviour,
    Budget,
    Group,
    Mix,
    MixPart,
    Product,
    ScoreExpr,
    Step,
    Sum,
    Weighted,
)
from eosdsl.ir.quantities import Argument, Call, Open, Quantity, Value, Word
from eosdsl.operators.base import Operator
from eosdsl.operators.parameters import Accepts, Nested, parameters
from eosdsl.operators.registry import Kind, operators

Role = Literal["amount", "weight", "share", "strength", "pick", "behaviour", "argument"]


@dataclass(frozen=True)
class Hole:
    """An open value at `path`. family: of weights, the path of the sum or mix in which they share a whole; accepts: of
    an argument, what its parameter takes; parameter: its name; least: of an amount, whether none may stay.
    """

    path: str
    open: Open
    role: Role
    family: str | None = None
    accepts: Accepts | None = None
    parameter: str | None = None
    removes: bool = False


Decide = Callable[[Hole], Value]


def decide_step(step: Step, path: str, decide: Decide) -> Step:
    """The step with every hole put to `decide`."""
    groups = tuple(decide_group(group, f"{path}.groups[{i}]", decide) for i, group in enumerate(step.groups))
    bias = step.bookkeeping.attention_bias
    if isinstance(bias.strength, Open):
        found = decide(Hole(f"{path}.attention_bias", bias.strength, "strength"))
        assert isinstance(found, Quantity | Open | Word)
        bias = AttentionBias(strength=found, span=bias.span)
    bookkeeping = step.bookkeeping.model_copy(update={"attention_bias": bias})
    return step.model_copy(update={"groups": groups, "bookkeeping": bookkeeping})


def decide_group(group: Group, path: str, decide: Decide) -> Group:
    """The group at `path` with every hole put to `decide`."""
    changes = {
        "budget": _budget(group.budget, f"{path}.budget", decide),
        "score": None if group.score is None else _score(group.score, f"{path}.score", decide, None),
        "pick": _chosen("picks", "pick", group.pick, f"{path}.pick", decide),
        "behaviour": _behaviour(group.behaviour, f"{path}.behaviour", decide),
    }
    return group.model_copy(update=changes)


def _budget(budget: Budget, path: str, decide: Decide) -> Budget:
    several = len(budget.amounts) > 1
    removes = budget.verb == "remove"
    amounts = tuple(
        _amount(amount, f"{path}[{i}]" if several else path, decide, removes) for i, amount in enumerate(budget.amounts)
    )
    start = None if budget.start is None else _amount(budget.start, f"{path}.start", decide, removes)
    return budget.model_copy(update={"amounts": amounts, "start": start})


def _amount(amount: Amount, path: str, decide: Decide, removes: bool) -> Amount:
    value = amount.value
    if isinstance(value, Open):
        return amount.model_copy(update={"value": decide(Hole(path, value, "amount", removes=removes))})
    if isinstance(value, Call):
        return amount.model_copy(update={"value": decide_call("budgets", value, path, decide)})
    return amount


def _score(score: ScoreExpr, path: str, decide: Decide, family: str | None) -> ScoreExpr:
    match score:
        case Call():
            return decide_call("scores", score, path, decide)
        case Sum():
            terms = tuple(_score(term, f"{path}[{i}]", decide, path) for i, term in enumerate(score.terms))
            return score.model_copy(update={"terms": terms})
        case Product():
            factors = tuple(
                _score(factor, f"{path}.factors[{i}]", decide, None) for i, factor in enumerate(score.factors)
            )
            return score.model_copy(update={"factors": factors})
        case Weighted():
            weight: Value = score.weight
            if isinstance(weight, Open):
                weight = decide(Hole(f"{path}.weight", weight, "weight", family=family or path))
            nested = f"{path}.inner" if isinstance(score.score, Weighted) else path
            return score.model_copy(update={"weight": weight, "score": _score(score.score, nested, decide, None)})


def _behaviour(behaviour: Behaviour, path: str, decide: Decide) -> Behaviour:
    if isinstance(behaviour, Mix):
        parts = tuple(_part(part, f"{path}[{i}]", path, decide) for i, part in enumerate(behaviour.parts))
        return behaviour.model_copy(update={"parts": parts})
    return _chosen("behaviours", "behaviour", behaviour, path, decide)


def _part(part: MixPart, path: str, family: str, decide: Decide) -> MixPart:
    share: Value = part.share
    if isinstance(share, Open):
        share = decide(Hole(f"{path}.share", share, "share", family=family))
    return part.model_copy(
        update={"share": share, "behaviour": decide_call("behaviours", part.behaviour, path, decide)}
    )


def _chosen(
    kind: Kind, role: Literal["pick", "behaviour"], chosen: Call | Open, path: str, decide: Decide
) -> Call | Open:
    """A call, or the answer to which one it is to be; holes inside are put to `decide` after it."""
    if isinstance(chosen, Call):
        return decide_call(kind, chosen, path, decide)
    found = decide(Hole(path, chosen, role))
    inner = _within(kind, None, chosen, found, path, decide)
    assert isinstance(inner, Call | Open)
    return inner


def _within(
    kind: Kind, nested: tuple[Nested, ...] | None, hole: Open, found: Value, path: str, decide: Decide
) -> Value:
    """The answer to a hole of calls, with the holes inside it decided; of a hole that stays open, those inside all
    choices.
    """
    labels = choice_labels(hole)
    if isinstance(found, Open):
        choices = tuple(
            _one_of(kind, nested, choice, f"{path}.{label}", decide)
            for choice, label in zip(found.choices, labels, strict=True)
        )
        return found.model_copy(update={"choices": choices})
    label = labels[hole.choices.index(found)] if found in hole.choices else "chosen"
    return _one_of(kind, nested, found, f"{path}.{label}", decide)


def _one_of(kind: Kind, nested: tuple[Nested, ...] | None, choice: Value, path: str, decide: Decide) -> Value:
    if not isinstance(choice, Call):
        return choice
    if nested is None:
        return decide_call(kind, choice, path, decide)
    return _arguments(_class_of(nested, choice.name), choice, path, decide)


def choice_labels(hole: Open) -> tuple[str, ...]:
    """How choices are called in paths: by name where that tells them apart, else `choices[i]`."""
    names = [choice.name if isinstance(choice, Call | Word) else "" for choice in hole.choices]
    return tuple(name if name and names.count(name) == 1 else f"choices[{place}]" for place, name in enumerate(names))


def decide_call(kind: Kind, call: Call, path: str, decide: Decide) -> Call:
    """The call of an operator with the holes of its arguments, which have paths below `path`, put to `decide`."""
    offered = operators(kind)
    return _arguments(offered.get(call.name), call, path, decide)


def _arguments(operator: type[Operator] | None, call: Call, path: str, decide: Decide) -> Call:
    if operator is None or not call.arguments:
        return call
    offered = parameters(operator)
    by_name = {parameter.name: parameter for parameter in offered}
    arguments: list[Argument] = []
    for place, argument in enumerate(call.arguments):
        name = argument.name or (offered[place].name if place < len(offered) else "")
        parameter = by_name.get(name)
        value = argument.value
        if parameter is not None and isinstance(value, Open):
            found = decide(Hole(f"{path}.{name}", value, "argument", accepts=parameter.accepts, parameter=name))
            value = _within("scores", parameter.accepts.nested, value, found, f"{path}.{name}", decide)
        elif parameter is not None and isinstance(value, Call):
            value = _arguments(_class_of(parameter.accepts.nested, value.name), value, f"{path}.{name}", decide)
        arguments.append(argument.model_copy(update={"value": value}))
    return call.model_copy(update={"arguments": tuple(arguments)})


def _class_of(nested: tuple[Nested, ...], name: str) -> type[Operator] | None:
    for one in nested:
        if name in one.names():
            return one.only if one.only is not None else operators(one.kind)[name] if one.kind else None
    return None
