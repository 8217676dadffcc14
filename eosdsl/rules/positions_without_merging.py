"""Mean positions where nothing is merged.

## What it does

Reports `positions: mean` or `positions: median` at a step whose groups merge nothing.

## Why

The mean position of a row is that of the tokens it stands for. A step that only drops tokens leaves every row standing
for what it stood for: its position stays what it was, as with `keep`.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via prune with positions: mean
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via merge with positions: mean
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs


class PositionsWithoutMerging(Rule):
    code = "W0362"
    name = "positions-without-merging"
    words = ("positions",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step in subject.program.steps:
            positions = step.bookkeeping.positions
            if positions not in ("mean", "median") or any(absorbs(group.behaviour) for group in step.groups):
                continue
            yield self.report(
                f"`positions: {positions}` where nothing is merged",
                step.bookkeeping.span or step.where.span,
                "the same as `keep`",
            )
