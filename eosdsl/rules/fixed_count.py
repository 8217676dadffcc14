"""A fixed number of tokens where images differ in size.

## What it does

Says that a budget is a number of tokens on a model whose images have different numbers of them.

## Why

64 tokens are a ninth of a small image and a fiftieth of a large one: large images, which were made large for their
detail, lose most. A share moves with the image. For a fixed cost per image the number is right.

## Example

```eos llava-1.6-mistral-7b
at layer 2: retain 64 tokens by norm(hidden)
```

## Use instead

```eos llava-1.6-mistral-7b
at layer 2: retain 10% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Amount
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject


class FixedCount(Rule):
    code = "I0371"
    name = "fixed-count"
    words = ("token",)
    severity = Severity.INFO

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        if schedule.model.grid is not None:
            return
        for amount in subject.nodes(Amount):
            if isinstance(amount.value, Quantity) and amount.value.unit == "tokens":
                yield self.report(
                    f"a fixed number of tokens, and images of {schedule.model.name} differ in size",
                    amount.span,
                    "the same for small and large images",
                )
