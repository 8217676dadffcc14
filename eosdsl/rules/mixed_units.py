"""Shares and numbers of tokens in one list.

## What it does

Says that a list of budgets is counted partly in shares and partly in tokens.

## Why

On another image size or another model the shares move and the numbers do not: what fell before may grow.

## Example

```eos
at layers 8, 16: retain 50%, 64 tokens by norm(hidden)
```

## Use instead

```eos
at layers 8, 16: retain 50%, 12.5% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Budget
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject


class MixedUnits(Rule):
    code = "I0156"
    name = "mixed-units"
    words = (",",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for budget in subject.nodes(Budget):
            units = {amount.value.unit for amount in budget.amounts if isinstance(amount.value, Quantity)}
            if len(units) > 1:
                yield self.report("shares and numbers of tokens in one list", budget.span, "they move apart")
