"""One behaviour twice in a mix.

## What it does

Reports two parts of a mix that are the same behaviour with the same parameters.

## Why

They act as one part with the sum of their shares. Often the second was meant to be another, or to have another
temperature or support.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via mix(0.3 prune, 0.3 prune, 0.4 merge) with attention_bias: log_size
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via mix(0.6 prune, 0.4 merge) with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Mix, MixPart
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class MixRepeats(Rule):
    code = "W0393"
    name = "mix-repeats"
    words = ("mix",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for mix in subject.nodes(Mix):
            first: dict[Call, MixPart] = {}
            for part in mix.parts:
                earlier = first.setdefault(part.behaviour, part)
                if earlier is not part:
                    yield self.report(
                        f"`{written.call(part.behaviour)}` stands twice in one mix",
                        part.span or mix.span,
                        "the same behaviour again",
                        also=[(earlier.span, "first here")],
                        helps=("add the shares up",),
                    )
