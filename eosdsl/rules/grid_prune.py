"""A grid that prunes.

## What it does

Says that `pick grid(…)` keeps one token of each cell and drops the others.

## Why

`grid` is nearly always half of a pooling: the tokens of a cell are put together in one. With `prune`, the kept corner
of each cell is all that is left of it. That is sub-sampling; if it is meant, `uniform` or `alternate` say so.

## Example

```eos
at input: pick grid(2x2) via prune
```

## Use instead

```eos
at input: pick grid(2x2) via pool(within: window(2x2)) with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs, groups


class GridPrune(Rule):
    code = "I0359"
    name = "grid-prune"
    words = ("grid",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step, group in groups(subject):
            if not isinstance(group.pick, Call) or group.pick.name != "grid":
                continue
            if any(absorbs(other.behaviour) for other in step.groups):
                continue
            yield self.report(
                "one token of each cell is kept and the others are dropped",
                group.behaviour.span or group.pick.span,
                "nothing of the rest of a cell survives",
                also=[(group.pick.span, "the cells")],
                helps=("`via pool(within: window(2x2))` puts each cell together",),
            )
