"""Constraints of a search, one-sided: being under a bound earns nothing, being over costs.

A bound is tightened on the way: it starts at what the softest program costs and reaches what the space says in the
middle of the search. Held to a far bound at once, a search gives up whatever it can before it knows what matters.

Dual ascent on the augmented Lagrangian: every constraint has a multiplier λ >= 0, at first 0, that grows while it is
broken and falls while it holds. A step's loss has the term

    c · (x / bound - 1)    with    c = max(0, λ + μ · v)

where v is the relative violation as the step before measured it, over the whole batch. Taken from the step before, c
is a number that all processes and parts of a batch share, so that the mean of their gradients is that of the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eosdsl.cost.measures import Amounts, measure, measure_name
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import Constraint

RATE = 0.1
"""How fast λ grows: by so much of the relative violation every step."""
STEEPEST = 0.25
"""Violations count for λ up to so much: a search that begins far over its bound would wind λ up ahead of itself."""
STIFFNESS = 4.0
"""μ: what being over by 100% adds to c at once."""

TIGHT_FROM = 0.5
"""The share of the steps from which on bounds are those of the space."""


@dataclass(frozen=True)
class Multiplier:
    """λ of a constraint, and its violation (value / bound - 1, negative where it holds) when it was last measured."""

    value: float = 0.0
    violation: float = 0.0


def excesses(constraints: Sequence[Constraint], soft: Amounts[Tensor], full: Amounts[Tensor]) -> Tensor:
    """By how much every constraint is broken, relative to its bound [C]; negative where it holds.

    Raises:
        SpecError: E0331 where a constraint measures nothing, or latency without a profile.
    """
    if not constraints:
        return soft.flops.new_zeros(0)
    return torch.stack([_excess(one, soft, full) for one in constraints])


def coefficients(multipliers: Sequence[Multiplier], constraints: Sequence[Constraint]) -> list[float]:
    """c of every constraint; that of an equality may be negative."""
    pulls = [one.value + STIFFNESS * one.violation for one in multipliers]
    return [
        pull if constraint.comparison == "=" else max(0.0, pull)
        for pull, constraint in zip(pulls, constraints, strict=True)
    ]


def ascended(
    multipliers: Sequence[Multiplier], constraints: Sequence[Constraint], violations: Sequence[float]
) -> list[Multiplier]:
    """The multipliers after a step that measured these violations."""
    moved: list[Multiplier] = []
    for one, constraint, violation in zip(multipliers, constraints, violations, strict=True):
        value = one.value + RATE * max(-STEEPEST, min(STEEPEST, violation))
        moved.append(Multiplier(value if constraint.comparison == "=" else max(0.0, value), violation))
    return moved


def slack(first: float, progress: float) -> float:
    """How many times its bound a cost may be when this share of the steps is done; `first`: its violation at the
    beginning. Falls geometrically to one.
    """
    return max(1.0, 1.0 + first) ** max(0.0, 1.0 - progress / TIGHT_FROM)


def loosened(over: Tensor, constraints: Sequence[Constraint], first: Sequence[float], progress: float) -> Tensor:
    """Violations [C] of the bounds as they are by now; only upper bounds are tightened on the way."""
    allowed = [
        slack(begun, progress) if one.comparison == "<=" else 1.0 for one, begun in zip(constraints, first, strict=True)
    ]
    return (1 + over) / over.new_tensor(allowed) - 1


def title(constraint: Constraint) -> str:
    """Its measure as it is written, for metrics and pictures."""
    return measure_name(constraint.measure)


def _excess(constraint: Constraint, soft: Amounts[Tensor], full: Amounts[Tensor]) -> Tensor:
    unit, value, whole = measure(constraint.measure, soft, full)
    bound = float(constraint.bound.value)
    if constraint.bound.unit == "ratio":
        bound = bound * float(whole)
    elif constraint.bound.unit not in ("number", unit):
        message = f"a number of {constraint.bound.unit} is no bound for {title(constraint)}"
        raise SpecError([error("E0331", message, constraint.bound.span)])
    if bound == 0:
        raise SpecError([error("E0331", "a search cannot hold a bound of nothing", constraint.bound.span)])
    return 1 - value / bound if constraint.comparison == ">=" else value / bound - 1
