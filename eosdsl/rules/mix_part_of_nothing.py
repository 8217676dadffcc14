"""A part of a mix with share zero.

## What it does

Reports `0 merge` in a mix.

## Why

The part takes nothing in, yet its similarity is computed. It may be what a search rounded to zero: then leave it out.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via mix(1 prune, 0 merge)
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via prune
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Mix
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class MixPartOfNothing(Rule):
    code = "W0392"
    name = "mix-part-of-nothing"
    words = ("mix",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for mix in subject.nodes(Mix):
            for part in mix.parts:
                if len(mix.parts) > 1 and isinstance(part.share, Quantity) and part.share.value == 0:
                    yield self.report(
                        f"`{written.call(part.behaviour)}` has no share of this mix",
                        part.span or mix.span,
                        "it takes in nothing",
                        helps=("leave the part out",),
                    )
