"""A step that keeps everything.

## What it does

Reports `retain 100%`, `retain all` and `remove 0 tokens`.

## Why

The step does nothing, but it is scored and counted. As a place-holder in a spec that is to be filled in, allow it:
`# eos: allow(W0352)`. With `--model`, W0341 says the same.

## Example

```eos
at layer 2: retain 100% by norm(hidden)
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Budget
from eosdsl.ir.quantities import Quantity, Word
from eosdsl.rules.base import Rule, Subject


class KeepsEverything(Rule):
    code = "W0352"
    name = "keeps-everything"

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if subject.schedule is not None:
            return
        for step in subject.program.steps:
            if step.groups and all(_keeps_all(group.budget) for group in step.groups):
                yield self.report(
                    "this step keeps everything", step.groups[0].budget.span or step.span, "nothing is given up"
                )


def _keeps_all(budget: Budget) -> bool:
    whole = 1 if budget.verb == "retain" else 0
    for amount in budget.amounts:
        match amount.value:
            case Quantity(unit="ratio") if amount.value.value == whole:
                continue
            case Quantity(unit="tokens") if whole == 0 and amount.value.value == 0:
                continue
            case Word(name="all") if whole == 1:
                continue
            case _:
                return False
    return True
