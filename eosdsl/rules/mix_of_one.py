"""A mix of one behaviour.

## What it does

Reports `mix(merge)`: a mix with a single part that takes the whole.

## Why

It is that behaviour. A second part may have been lost.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via mix(1 prune)
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
from eosdsl.ir.quantities import Open, Quantity
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import replace
from eosdsl.views import written


class MixOfOne(Rule):
    code = "W0391"
    name = "mix-of-one"
    words = ("mix",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for mix in subject.nodes(Mix):
            if len(mix.parts) != 1 or not _is_whole(mix.parts[0].share):
                continue
            text = written.call(mix.parts[0].behaviour)
            yield self.report(
                "a mix of one behaviour",
                mix.span,
                f"the same as `{text}`",
                fix=replace(subject, mix.span, text, f"write `{text}`", safe=True),
            )


def _is_whole(share: Quantity | Open) -> bool:
    return isinstance(share, Open) or share.value == 1
