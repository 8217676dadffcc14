"""Attention of the layer about to run.

## What it does

Says that a score reads `layer: next`.

## Why

Attention of the next layer has not been computed when the step runs: its keys are projected for all rows once more,
and so is the query. `layer: previous` reads keys that are in the cache. PyramidDrop (arXiv 2410.17247) looks ahead on
purpose; `plan` counts what it costs.

## Example

```eos
at layer 8: retain 50% by attention(query: last, layer: next)
```

## Use instead

```eos
at layer 8: retain 50% by attention(query: last, layer: previous)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Step
from eosdsl.ir.quantities import Call, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import calls_of


class LookAhead(Rule):
    code = "I0366"
    name = "look-ahead"
    words = ("next",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step in subject.program.steps:
            for call in _attention(step):
                at_input = step.where.stream == "decoder" and any(layer.index == 0 for layer in step.where.layers)
                if call.argument("layer") == Word(name="next") and not at_input:
                    yield self.report(
                        "the attention of the layer about to run is computed twice", call.span, "once for this score"
                    )


def _attention(step: Step) -> Iterator[Call]:
    for group in step.groups:
        if group.score is not None:
            yield from (call for call in calls_of(group.score) if call.name == "attention")
