"""A mix that does not share everything out.

## What it does

Says that the shares of a mix come to less than 1 and that the rest of the content is dropped.

## Why

What no part takes is pruned, silently. Written out, the reader sees it.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via mix(0.6 merge) with attention_bias: log_size
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via mix(0.6 merge, 0.4 prune) with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, Edit, Fix, Severity
from eosdsl.ir.nodes import Mix
from eosdsl.ir.quantities import Quantity
from eosdsl.rules.base import Rule, Subject
from eosdsl.source import Span
from eosdsl.views import written


class MixDropsTheRest(Rule):
    code = "I0394"
    name = "mix-drops-the-rest"
    words = ("mix",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for mix in subject.nodes(Mix):
            shares = [part.share.value for part in mix.parts if isinstance(part.share, Quantity)]
            left = Fraction(1 - sum(shares))
            if len(shares) < len(mix.parts) or left <= 0:
                continue
            text = f"{written.number(left)} prune"
            yield self.report(
                f"{written.number(left)} of the content is dropped without saying so",
                mix.span,
                f"the same as with `{text}`",
                fix=_add(subject, mix.parts[-1].span, text),
            )


def _add(subject: Subject, last: Span | None, text: str) -> Fix | None:
    """A fix that writes the missing part after the last one."""
    if last is None or not subject.is_own(last):
        return None
    place = subject.source.span(last.end, last.end)
    return Fix(f"write `{text}`", (Edit(place, f", {text}"),), "safe")
