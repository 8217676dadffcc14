"""A budget of very few tokens.

## What it does

Reports a budget below eight tokens.

## Why

Nothing of an image is left. This rule is here to show that a package can add one.

## Example

```eos
at layer 2: retain 4 tokens by norm(hidden)
```

## Use instead

```eos
at layer 2: retain 64 tokens by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Amount
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject


class SmallBudget(Rule):
    code = "W0901"
    name = "fake-small-budget"

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for amount in subject.nodes(Amount):
            value = amount.value
            if isinstance(value, Quantity) and value.unit == "tokens" and value.value < 8:
                yield self.report("very few tokens", amount.span, "nothing of an image is left")
