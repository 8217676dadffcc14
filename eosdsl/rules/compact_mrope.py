"""Compact positions on a model with two-dimensional ones.

## What it does

Reports `positions: compact` on a model whose rotary positions have three dimensions (Qwen2-VL and its successors).

## Why

These models place every visual token by frame, row and column. Numbered anew without gaps, the kept tokens lose where
in the image they were: exactly what such positions are for. On models with one-dimensional positions `compact` is a
published choice.

## Example

```eos qwen2.5-vl-7b
at layer 2: retain 50% by norm(hidden) with positions: compact
```

## Use instead

```eos qwen2.5-vl-7b
at layer 2: retain 50% by norm(hidden) with positions: keep
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject


class CompactMrope(Rule):
    code = "W0368"
    name = "compact-mrope"
    words = ("compact",)

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        if schedule.model.decoder.rope != "mrope":
            return
        for step in subject.program.steps:
            if step.bookkeeping.positions == "compact" and step.where.stream != "encoder":
                yield self.report(
                    f"compact positions lose rows and columns on {schedule.model.name}",
                    step.bookkeeping.span or step.where.span,
                    "positions here are frame, row and column",
                )
