"""A choice of one.

## What it does

Reports `? {top}`: a value left open with a single possibility.

## Why

There is nothing to choose. It costs the search nothing and tells the reader that something is open which is not.

## Example

```eos
space narrow
at layer 2: retain ? 10%..50% by norm(hidden) pick ? {top}
minimise task
subject to flops <= 50%
search with steps: 100, seed: 0
```

## Use instead

```eos
space narrow
at layer 2: retain ? 10%..50% by norm(hidden) pick ? {top, uniform}
minimise task
subject to flops <= 50%
search with steps: 100, seed: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.quantities import Open
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import replace
from eosdsl.views import written


class SingleChoice(Rule):
    code = "W0551"
    name = "single-choice"
    words = ("{",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for hole in subject.nodes(Open):
            if len(hole.choices) == 1:
                text = written.value(hole.choices[0])
                yield self.report(
                    "a choice of one",
                    hole.span,
                    "nothing is left open",
                    fix=replace(subject, hole.span, text, f"write `{text}`", safe=True),
                )
