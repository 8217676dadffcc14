"""A weight on the only score.

## What it does

Reports `by 0.7 * score` where nothing is added to it.

## Why

Tokens are ranked by score; multiplying every score by the same positive number changes no rank. A second term may have
been lost. (A negative weight turns the ranking round and is not reported.)

## Example

```eos
at layer 2: retain 50% by 0.7 * attention(query: last)
```

## Use instead

```eos
at layer 2: retain 50% by 0.7 * attention(query: last) + 0.3 * norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Weighted
from eosdsl.ir.quantities import Open, Quantity
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, replace
from eosdsl.views import written


class LoneWeight(Rule):
    code = "W0383"
    name = "lone-weight"
    words = ("*",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for _, group in groups(subject):
            score = group.score
            if not isinstance(score, Weighted) or not _is_idle(score.weight):
                continue
            yield self.report(
                "a weight on the only score changes no rank",
                score.weight.span or score.span,
                "this has no effect",
                fix=replace(subject, score.span, written.score(score.score), "leave the weight out", safe=False),
            )


def _is_idle(weight: Quantity | Open) -> bool:
    """A positive number other than 1, or a weight left open."""
    return isinstance(weight, Open) or (weight.value > 0 and weight.value != 1)
