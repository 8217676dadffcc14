"""A bound that cannot bind.

## What it does

Reports a constraint that holds whatever the spec does: a ratio of 100% or more, or, on a model, a number of tokens at
or above what an image has.

## Why

No reduction makes a model cost more than it does in full. Such a bound looks like a promise and is none. In a space it
leaves the search without a reason to give anything up.

## Example

```eos
at layer 2: retain 50% by norm(hidden)
expect flops <= 100%
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden)
expect flops <= 60%
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Constraint
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class SlackBound(Rule):
    code = "W0373"
    name = "slack-bound"
    words = (
        "expect",
        "subject",
    )

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for one in subject.nodes(Constraint):
            if one.comparison == "<=" and one.bound.unit == "ratio" and one.bound.value >= 1:
                yield self._finding(one, "no spec costs more than the full model")

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        whole = schedule.model.visual_tokens
        for one in subject.nodes(Constraint):
            counts = one.bound.unit in ("tokens", "number") and one.measure.name == "tokens"
            if counts and one.comparison == "<=" and one.bound.value >= whole:
                yield self._finding(one, f"an image has {whole} on {schedule.model.name}")

    def _finding(self, one: Constraint, why: str) -> Diagnostic:
        measure = written.call(one.measure)
        return self.report(f"this bound on {measure} always holds", one.bound.span or one.span, why)
