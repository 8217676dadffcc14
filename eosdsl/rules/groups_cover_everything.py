"""Groups that together keep everything.

## What it does

Reports a step whose groups retain shares that add up to 100% or more.

## Why

Groups choose one after the other among what the earlier ones left. When their budgets add up to all tokens, none is
given up, and the behaviours after `via` have nothing to act on.

## Example

```eos
at layer 2:
  retain 60% by attention(query: last) via prune
  and retain 40% by norm(hidden) via merge with attention_bias: log_size
```

## Use instead

```eos
at layer 2:
  retain 30% by attention(query: last) via prune
  and retain 10% by norm(hidden) via merge with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Group
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import plain_share


class GroupsCoverEverything(Rule):
    code = "W0377"
    name = "groups-cover-everything"
    words = ("and",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if subject.schedule is not None:
            return  # the counts on the model say it: W0341
        for step in subject.program.steps:
            shares = [_share(group) for group in step.groups]
            known = [share for share in shares if share is not None]
            if len(shares) < 2 or len(known) < len(shares) or sum(known) < 1:
                continue
            yield self.report(
                "the groups of this step keep everything",
                step.groups[-1].budget.span or step.span,
                f"together {float(100 * sum(known)):g}%",
                also=[(group.budget.span, "") for group in step.groups[:-1]],
            )


def _share(group: Group) -> Fraction | None:
    if group.budget.verb != "retain" or len(group.budget.amounts) != 1:
        return None
    return plain_share(group.budget.amounts[0])
