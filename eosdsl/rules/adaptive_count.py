"""A count that depends on the image.

## What it does

Says that a budget is adaptive (`outliers`, `mass`, `rank`, `distance`).

## Why

Different images keep different numbers of tokens. Batches are padded to the longest and masked, a compiled decode is
compiled for the largest count, and a server that must know the count before the encoder runs cannot take the spec. A
plan prints bounds instead of numbers.

## Example

```eos
at layer 2: retain mass 90% by attention(query: last)
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups


class AdaptiveCount(Rule):
    code = "I0363"
    name = "adaptive-count"
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for _, group in groups(subject):
            for amount in group.budget.amounts:
                if isinstance(amount.value, Call):
                    yield self.report(
                        f"`{amount.value.name}` keeps a number of tokens that depends on the image",
                        amount.span,
                        "batches are padded; counts are bounds",
                    )
