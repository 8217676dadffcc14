"""A number of tokens that is no multiple of eight.

## What it does

Reports `retain 60 tokens`: 60 is no multiple of 8.

## Why

It shows that a rule from outside is one of the family.

## Example

```eos
at layer 2: retain 60 tokens
```

## Use instead

```eos
at layer 2: retain 64 tokens
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Edit, Fix
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject


class RoundCounts(Rule):
    code = "W9901"
    name = "round-counts"

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for quantity in subject.nodes(Quantity):
            span = quantity.span
            if quantity.unit != "tokens" or quantity.value % 8 == 0 or span is None:
                continue
            rounded = 8 * -(-quantity.value // 8)
            fix = Fix(f"write `{rounded} tokens`", (Edit(span, f"{rounded} tokens"),))
            yield self.report(f"{quantity.value} is no multiple of 8", span, "not round", fix=fix)
