"""`uniform` that keeps more than half.

## What it does

Reports `pick uniform` with a budget of more than half of what arrives.

## Why

`uniform` takes every ⌊R/K⌋-th of the R tokens, from the first. With K above R/2 that is every token: the first K are
kept and the end of the image, its lower part, is cut off. That is not what uniform suggests.

## Example

```eos
at input: retain 75% pick uniform
```

## Use instead

```eos
at input: retain 50% pick uniform
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Amount, Group
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups


class UniformAboveHalf(Rule):
    code = "W0356"
    name = "uniform-above-half"
    words = ("uniform",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if subject.schedule is not None:
            return  # exact counts say more
        for _, group in groups(subject):
            if _is_uniform(group.pick) and group.budget.verb == "retain" and len(group.budget.amounts) == 1:
                share = _share(group.budget.amounts[0])
                if share is not None and share.value < 1 and share.value * 2 > 1:
                    yield self._finding(group)

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        for reduction in schedule.reductions:
            left = reduction.incoming
            for group in reduction.groups:
                if _is_uniform(group.pick) and group.count is not None and left > group.count > left // 2:
                    yield self._finding(group, f": {group.count} of the {left} that are left")
                left -= group.count or 0

    def _finding(self, group: Group | BoundGroup, counts: str = "") -> Diagnostic:
        return self.report(
            f"`uniform` keeps more than half{counts}, so it keeps the first ones",
            group.pick.span,
            "the lower part of the image is cut off",
            helps=("keep half or less, or pick by score",),
        )


def _is_uniform(pick: Call | Open) -> bool:
    return isinstance(pick, Call) and pick.name == "uniform"


def _share(amount: Amount) -> Quantity | None:
    value = amount.value
    return value if isinstance(value, Quantity) and value.unit == "ratio" else None
