"""A step that leaves next to nothing.

## What it does

Reports a step, on a model, after which at most two tokens of an image are left though its spec removes by number.

## Why

`remove 40 tokens` at each of 23 layers asks for more tokens than an image has. What is left is clamped, so nothing
fails; the image is just gone.

## Example

```eos llava-1.5-7b
at encoder layers 1..22: remove 40 tokens by norm(hidden)
```

## Use instead

```eos llava-1.5-7b
at encoder layers 1..22: remove 16 tokens by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.passes.sites import site_name
from eosdsl.rules.base import Rule, Subject

_FEW = 2


class RunsDry(Rule):
    code = "W0372"
    name = "runs-dry"
    words = ("remove",)

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        first: set[int] = set()
        for reduction in schedule.reductions:
            if reduction.retained > _FEW or reduction.statement in first or not _removes_by_number(reduction):
                continue
            first.add(reduction.statement)
            amount = reduction.groups[0].amount.amount
            left = f"{reduction.retained} of {schedule.model.visual_tokens} tokens are left"
            yield self.report(
                f"after {site_name(reduction.site)} {left}",
                amount.span or reduction.span,
                "removed again at every layer",
            )


def _removes_by_number(reduction: SiteReduction) -> bool:
    amount = reduction.groups[0].amount
    value = amount.amount.value
    return amount.verb == "remove" and isinstance(value, Quantity) and value.unit == "tokens"
