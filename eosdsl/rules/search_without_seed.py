"""A search without a seed.

## What it does

Says that a space gives no `seed`.

## Why

A search draws data and noise. Without a seed two runs differ, and the operator that is derived cannot be derived again.

## Example

```eos
space chance
at layer 2: retain ? 10%..50% by norm(hidden)
minimise task
subject to flops <= 50%
search with steps: 100
```

## Use instead

```eos
space chance
at layer 2: retain ? 10%..50% by norm(hidden)
minimise task
subject to flops <= 50%
search with steps: 100, seed: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.rules.base import Rule, Subject
from eosdsl.syntax import tree


class SearchWithoutSeed(Rule):
    code = "I0554"
    name = "search-without-seed"
    words = ("search",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        program = subject.program
        if not isinstance(program, RelaxedProgram) or any(name == "seed" for name, _ in program.search):
            return
        settings = next((s for s in subject.file.statements if isinstance(s, tree.SearchWith)), None)
        if settings is not None:
            yield self.report(
                "this search has no seed", settings.span, "two runs will differ", helps=("add `seed: 0`",)
            )
