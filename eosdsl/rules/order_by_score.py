"""Visual tokens out of order.

## What it does

Reports `order: score` at a decoder site or on the encoder's output.

## Why

The decoder is causal: a token sees those before it. In the order of their scores the visual tokens of an image are
permuted, and with `positions: keep` their positions no longer ascend. Codes that sorted by score by accident lost
accuracy by it. In the tower, where everything sees everything, order does not matter.

## Example

```eos
at layer 2: retain 50% by norm(hidden) with order: score
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) with order: position
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject


class OrderByScore(Rule):
    code = "W0360"
    name = "order-by-score"
    words = ("order",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step in subject.program.steps:
            if step.bookkeeping.order == "score" and step.where.stream != "encoder":
                yield self.report(
                    "the image's tokens are permuted before a causal decoder",
                    step.bookkeeping.span or step.where.span,
                    "ordered by score",
                    helps=("`order: position` keeps them as they were",),
                )
