"""A score that is negated twice.

## What it does

Reports `negate(negate(score))` and a negative weight on `negate(score)`.

## Why

Turned round twice, a ranking is what it was. Usually one of the two was added to mend a sign that the other had mended
already: CLIP relevance, for one, is negated on purpose in some published methods.

## Example

```eos
at layer 2: retain 50% by -1 * negate(norm(hidden))
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Weighted
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.rules.base import Rule, Subject


class DoubleNegation(Rule):
    code = "W0385"
    name = "double-negation"
    words = ("negate",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for call in subject.nodes(Call):
            inner = call.arguments[0].value if call.name == "negate" and call.arguments else None
            if isinstance(inner, Call) and inner.name == "negate":
                yield self.report("a score is negated twice", call.span, "this is the score itself")
        for term in subject.nodes(Weighted):
            minus = isinstance(term.weight, Quantity) and term.weight.value < 0
            if minus and isinstance(term.score, Call) and term.score.name == "negate":
                yield self.report("a score is negated twice", term.span, "the weight turns it round again")
