"""A ramp that does not fall.

## What it does

Reports `a -> b` where b is not smaller than a.

## Why

Over a range the budget goes from the first amount to the second. Where they are equal every step after the first does
nothing; where the second is larger, all of them keep what arrives.

## Example

```eos
at layer 2..8: retain 25% -> 25% along linear by norm(hidden)
```

## Use instead

```eos
at layer 2..8: retain 100% -> 25% along linear by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Amount, Budget
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject


class FlatRamp(Rule):
    code = "W0376"
    name = "flat-ramp"
    words = ("->",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for budget in subject.nodes(Budget):
            if budget.start is None or len(budget.amounts) != 1:
                continue
            falls = _falls(budget.start, budget.amounts[0])
            if falls is None or ((falls > 0) == (budget.verb == "retain") and falls != 0):
                continue
            yield self.report(
                "the ramp does not fall",
                budget.span,
                "the same at both ends" if falls == 0 else "it ends with more than it starts with",
            )


def _falls(start: Amount, end: Amount) -> int | None:
    """The sign of start minus end; None where they cannot be compared without a model."""
    first, last = start.value, end.value
    if not isinstance(first, Quantity) or not isinstance(last, Quantity):
        return None
    if first.unit != last.unit or start.of != end.of:
        return None
    return (first.value > last.value) - (first.value < last.value)
