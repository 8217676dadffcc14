"""One measure bounded twice.

## What it does

Reports two constraints on the same measure with the same comparison.

## Why

Only the tighter one counts. The looser one is left over from an earlier version, or was meant for another measure.

## Example

```eos
at layer 2: retain 10% by norm(hidden)
expect tokens(mean) <= 128, tokens(mean) <= 192
```

## Use instead

```eos
at layer 2: retain 10% by norm(hidden)
expect tokens(mean) <= 128, tokens(max) <= 576
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Constraint
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class RepeatedConstraint(Rule):
    code = "W0374"
    name = "repeated-constraint"
    words = (
        "expect",
        "subject",
    )

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        first: dict[tuple[Call, str], Constraint] = {}
        for one in subject.nodes(Constraint):
            earlier = first.setdefault((one.measure, one.comparison), one)
            if earlier is one:
                continue
            yield self.report(
                f"`{written.call(one.measure)}` is bounded twice",
                one.span,
                "only the tighter bound counts",
                also=[(earlier.span, "first here")],
            )
