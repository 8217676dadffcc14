"""A budget that does not fall.

## What it does

Reports a share of the image's tokens that is not smaller than the share an earlier layer was left with, in a list of
budgets or from one statement to another. With `--model`, the exact counts say the same as W0341 and W0342.

## Why

Tokens that were given up do not come back, so the later step keeps all that arrives: it costs and does nothing.
Shares are of what the image started with, not of what arrives.

## Example

```eos
at layers 8, 16: retain 25%, 50% by norm(hidden)
```

## Use instead

```eos
at layers 8, 16: retain 50%, 25% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Step
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import is_space, plain_share
from eosdsl.source import Span


class _Point(NamedTuple):
    """The share left from a layer on."""

    layer: int
    after: bool
    share: Fraction
    span: Span | None
    step: Step


class BudgetDoesNotFall(Rule):
    code = "W0350"
    name = "budget-does-not-fall"

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if subject.schedule is not None or is_space(subject):
            return  # counts on the model say it exactly; in a space the shares are not known
        if sum(len(step.where.layers) for step in subject.program.steps) < 2:
            return  # one place
        for stream in ("encoder", "decoder"):
            points = [p for step in subject.program.steps if step.where.stream == stream for p in _points(step)]
            points.sort(key=_place)
            for before, now in pairwise(points):
                if now.share >= before.share and not (now.step is before.step and now.step.where.gradual):
                    yield self._finding(before, now)

    def _finding(self, before: _Point, now: _Point) -> Diagnostic:
        grows = now.share > before.share
        return self.report(
            f"the budget {'grows' if grows else 'stays the same'}: this step keeps all that arrives",
            now.span,
            "tokens that were given up do not come back" if grows else "nothing is given up here",
            also=[(before.span, f"left from layer {before.layer} on")],
            helps=("shares are of what the image started with; `of incoming` counts what arrives",),
        )


def _place(point: _Point) -> tuple[int, bool]:
    return point.layer, point.after


def _points(step: Step) -> Iterator[_Point]:
    """Where the step leaves which share; nothing where that is not a plain share at a layer by number."""
    where = step.where
    if len(step.groups) != 1 or step.groups[0].budget.verb != "retain" or where.choose is not None:
        return
    budget = step.groups[0].budget
    layers = where.layers[-1:] if where.gradual or budget.start is not None else where.layers
    amounts = budget.amounts if len(budget.amounts) == len(layers) else budget.amounts[:1] * len(layers)
    for layer, amount in zip(layers, amounts, strict=True):
        share = plain_share(amount)
        if layer.index is not None and share is not None:
            yield _Point(layer.index, where.after_attention, share, amount.span, step)
