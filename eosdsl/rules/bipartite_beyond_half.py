"""Bipartite matching asked for more than half.

## What it does

Reports `pick bipartite` with a budget below half of what arrives.

## Why

Bipartite matching parts the tokens in two sets and merges tokens of the first into tokens of the second: at most the
first set, half of the tokens, can go in one step (ToMe, arXiv 2210.09461). More has to be spread over layers.

## Example

```eos
at encoder layer 10: retain 25% pick bipartite(on: keys) via merge
```

## Use instead

```eos
at encoder layers 10, 14: retain 50%, 25% pick bipartite(on: keys) via merge
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Group, Step
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups

_HALF = Fraction(1, 2)


class BipartiteBeyondHalf(Rule):
    code = "W0357"
    name = "bipartite-beyond-half"
    words = ("bipartite",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if subject.schedule is not None:
            return
        for step, group in groups(subject):
            if _is_bipartite(group) and _asks_for_less_than_half(step, group):
                yield self._finding(group, "")

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        reported: set[int] = set()
        for reduction in schedule.reductions:
            group = reduction.groups[0]
            if not _is_bipartite(group) or group.count is None or 2 * group.count >= reduction.incoming:
                continue
            if reduction.statement not in reported:
                reported.add(reduction.statement)
                yield self._finding(group, f": {group.count} of {reduction.incoming}")

    def _finding(self, group: Group | BoundGroup, counts: str) -> Diagnostic:
        return self.report(
            f"bipartite matching cannot keep less than half{counts}",
            group.pick.span,
            "half of the tokens are never merged away",
            helps=("spread the reduction over several layers",),
        )


def _is_bipartite(group: Group | BoundGroup) -> bool:
    return isinstance(group.pick, Call) and group.pick.name == "bipartite"


def _asks_for_less_than_half(step: Step, group: Group) -> bool:
    """A share of what arrives, or of the image at a first step, at one place."""
    if step.where.gradual or len(group.budget.amounts) != 1 or group.budget.verb != "retain":
        return False
    amount = group.budget.amounts[0]
    value = amount.value
    if not isinstance(value, Quantity) or value.unit != "ratio":
        return False
    return value.value < _HALF and (amount.of == "incoming" or len(step.where.layers) < 2)
