"""A score with weight zero.

## What it does

Reports terms of a score that are multiplied by zero.

## Why

The term changes nothing, but it is computed, and it may ask the site for attention that has to be recomputed.

## Example

```eos
at layer 2: retain 50% by attention(query: last) + 0 * norm(hidden)
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Weighted
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class ZeroWeight(Rule):
    code = "W0381"
    name = "zero-weight"
    words = ("*",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for term in subject.nodes(Weighted):
            if isinstance(term.weight, Quantity) and term.weight.value == 0:
                yield self.report(
                    f"`{written.score(term.score)}` has weight zero",
                    term.span,
                    "this term counts for nothing",
                    helps=("leave the term out",),
                )
