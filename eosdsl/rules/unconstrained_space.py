"""A space without a constraint.

## What it does

Reports a space that leaves budgets open and says neither `subject to` nor anything else that bounds its cost.

## Why

Keeping more tokens is never worse for the task. Without a bound on tokens, FLOPs or cache, the search has no reason to
give any up, and finds the model as it is.

## Example

```eos
space free
at layer 2: retain ? 10%..100% by norm(hidden)
minimise task
search with steps: 100, seed: 0
```

## Use instead

```eos
space free
at layer 2: retain ? 10%..100% by norm(hidden)
minimise task
subject to tokens(mean) <= 192
search with steps: 100, seed: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Amount, RelaxedProgram
from eosdsl.ir.quantities import Open
from eosdsl.rules.base import Rule, Subject


class UnconstrainedSpace(Rule):
    code = "W0553"
    name = "unconstrained-space"
    words = ("space",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        program = subject.program
        if not isinstance(program, RelaxedProgram) or program.constraints:
            return
        free = next((amount for amount in subject.nodes(Amount) if isinstance(amount.value, Open)), None)
        if free is not None:
            yield self.report(
                "nothing keeps this space from keeping everything",
                free.span,
                "the search will open it wide",
                helps=("add `subject to tokens(mean) <= 192` or a bound on `flops`",),
            )
