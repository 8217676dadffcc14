"""A fixed number of tokens where images differ in size.

## What it does

Says that a budget is a number of tokens on a model whose images have different numbers of them.

## Why

64 tokens are a ninth of a small image and a fiftieth of a large one: large images, which were made large for their
detail, lose most. A share moves with the image. For a fixed cost per image the number is right, and rows that are added
to the image's (`pick extra`) are not meant.

## Example

```eos llava-1.6-mistral-7b
at layer 2: retain 64 tokens by norm(hidden)
```

## Use instead

```eos llava-1.6-mistral-7b
at layer 2: retain 10% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Group
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups


class FixedCount(Rule):
    code = "I0371"
    name = "fixed-count"
    words = ("token",)
    severity = Severity.INFO

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        if schedule.model.grid is not None:
            return
        amounts = [a for _, group in groups(subject) if not _brings_its_rows(group) for a in group.budget.amounts]
        for amount in amounts:
            if isinstance(amount.value, Quantity) and amount.value.unit == "tokens":
                yield self.report(
                    f"a fixed number of tokens, and images of {schedule.model.name} differ in size",
                    amount.span,
                    "the same for small and large images",
                )


def _brings_its_rows(group: Group) -> bool:
    """Whether the rows of a group are added to the image's (`pick extra`): they are no budget for its detail."""
    return isinstance(group.pick, Call) and group.pick.name == "extra"
