"""A group that gets nothing.

## What it does

Reports a group after `and` that, on the model, can choose no token because the earlier groups took them all.

## Why

Groups choose one after the other. A group with nothing left to choose from has no anchors, and its behaviour takes in
nothing: the statement reads as if it did two things and does one.

## Example

```eos llava-1.5-7b
at layer 2: retain 10% by attention(query: last)
at layer 8: retain 64 tokens by attention(query: last) and retain 10 tokens by norm(hidden)
```

## Use instead

```eos llava-1.5-7b
at layer 2: retain 50% by attention(query: last)
at layer 8: retain 54 tokens by attention(query: last) and retain 10 tokens by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.schedule import Schedule
from eosdsl.passes.sites import site_name
from eosdsl.rules.base import Rule, Subject


class IdleGroup(Rule):
    code = "W0378"
    name = "idle-group"
    words = ("and",)

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        for reduction in schedule.reductions:
            for group in reduction.groups[1:]:
                if group.count == 0:
                    yield self.report(
                        f"nothing is left for this group at {site_name(reduction.site)}",
                        group.span or reduction.span,
                        f"the earlier groups take all {reduction.incoming} tokens that arrive",
                    )
