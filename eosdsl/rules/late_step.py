"""A step that comes too late to pay.

## What it does

Says that a step saves less than one percent of what the decoder's layers have to work through.

## Why

A reduction saves in the layers that follow. Near the end few follow, and the step still has to score, choose and move
tokens, and may still cost quality.

## Example

```eos llava-1.5-7b
at layer 2: retain 25% by norm(hidden)
at layer 31: retain 20% by norm(hidden)
```

## Use instead

```eos llava-1.5-7b
at layer 2: retain 25% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject

_LEAST = Fraction(1, 100)


class LateStep(Rule):
    code = "I0365"
    name = "late-step"
    severity = Severity.INFO

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        layers = len(schedule.decoder_tokens)
        whole = layers * schedule.model.visual_tokens
        for number, step in enumerate(subject.program.steps):
            mine = [r for r in schedule.reductions if r.statement == number]
            if not mine or any(r.site.stream != "decoder" or r.incoming <= r.retained for r in mine):
                continue
            saved = sum((r.incoming - r.retained) * (layers - r.site.layer) for r in mine)
            if saved < whole * _LEAST:
                share = float(Fraction(100 * saved, whole))
                yield self.report(
                    f"this step saves {share:.1f}% of the tokens that pass through the layers",
                    step.where.span or step.span,
                    "few layers follow, or few tokens are given up",
                )
