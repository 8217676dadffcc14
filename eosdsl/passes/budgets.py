"""Amounts that cannot be, whatever the image: ranges without an end (E0325, E0326), and, for programs that were not
written as text, what the language refuses (E0204, E0205, E0340, E0345)."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.ir.nodes import Amount, Budget, Step
from eosdsl.ir.quantities import Call, Quantity, Word
from eosdsl.passes.curves import CURVES
from eosdsl.passes.infer_tokens import is_adaptive


def check_budgets(step: Step, sites: int) -> list[Diagnostic]:
    """What is wrong with the amounts of a statement that has so many sites."""
    spread = sites > 1 and (step.where.gradual or any(g.budget.start or g.budget.curve for g in step.groups))
    return [found for group in step.groups for found in _check(group.budget, spread)]


def _check(budget: Budget, spread: bool) -> Iterator[Diagnostic]:
    for amount in (*budget.amounts, *((budget.start,) if budget.start else ())):
        problem = _amount(amount, budget)
        if problem:
            yield problem
    if budget.curve is not None and (problem := _curve(budget.curve)):
        yield problem
        return
    if spread:
        yield from _range(budget)


def _amount(amount: Amount, budget: Budget) -> Diagnostic | None:
    value = amount.value
    span = amount.span or budget.span
    if isinstance(value, Quantity):
        if value.unit not in ("ratio", "tokens"):
            helps = (f"write `{float(value.value):g} tokens`, or a percentage",) if value.unit == "number" else ()
            return error("E0204", "a budget counts tokens, or is a share of them", span, f"a {value.unit}", helps=helps)
        if value.value < 0:
            return error("E0345", "a number of tokens cannot be negative", span, "below zero")
        if value.value == 0 and budget.verb == "retain" and amount is not budget.start:
            helps = ("`remove all` says that no visual token is to be left",)
            return error("E0340", "this retains nothing", span, "no token is left", helps=helps)
        return None
    if isinstance(value, Word) and value.name == "all":
        return None
    if is_adaptive(amount) and budget.verb == "retain":
        return None
    return error("E0204", "a budget counts tokens, or is a share of them", span, "no number of tokens")


def _range(budget: Budget) -> Iterator[Diagnostic]:
    last = budget.amounts[-1]
    span = last.span or budget.span
    if any(is_adaptive(amount) for amount in budget.amounts):
        helps = ("write `layers` to apply it at each of them",)
        yield error("E0325", "a budget that depends on the image cannot go gradually over a range", span, helps=helps)
    elif (budget.curve is None or budget.curve.name == "geometric") and _ends_at_zero(budget.verb, last):
        helps = ("write `along linear` or `along cosine`",)
        yield error("E0326", "a geometric range never reaches zero", span, "nothing is left at its end", helps=helps)


def _ends_at_zero(verb: str, amount: Amount) -> bool:
    if verb == "retain" or not isinstance(amount.value, (Quantity, Word)):
        return False
    value = amount.value
    return isinstance(value, Word) or (value.unit == "ratio" and value.value >= 1)


def _curve(curve: Call) -> Diagnostic | None:
    if curve.name not in CURVES:
        near = get_close_matches(curve.name, CURVES, n=1)
        helps = (f"did you mean `{near[0]}`?",) if near else ("curves are " + ", ".join(CURVES),)
        return error("E0205", f"unknown curve `{curve.name}`", curve.span, "not a curve", helps=helps)
    if not curve.arguments:
        return None
    argument = curve.arguments[0]
    fits = curve.name == "logistic" and len(curve.arguments) == 1 and argument.name in (None, "steepness")
    value = argument.value
    if fits and isinstance(value, Quantity) and value.unit == "number" and Fraction(0) < value.value <= 1000:
        return None
    helps = ("only `logistic(steepness: 10)` takes one, above 0 and at most 1000",)
    return error("E0204", f"`{curve.name}` cannot take this parameter", curve.span, "not here", helps=helps)
