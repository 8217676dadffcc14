"""Normalising a term of a sum.

## What it does

Reports `normalise(score)` as a term of a sum.

## Why

In a sum every term is standardised per image: shifted to mean zero and scaled to deviation one. Shifting and scaling it
before changes nothing. (`raw(score)` keeps a term as it is.)

## Example

```eos
at layer 2: retain 50% by attention(query: last) + normalise(norm(hidden))
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last) + norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Sum, Weighted
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import replace
from eosdsl.views import written


class NormaliseInSum(Rule):
    code = "W0384"
    name = "normalise-in-sum"
    words = ("normalise",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for total in subject.nodes(Sum):
            for term in total.terms:
                score = term.score if isinstance(term, Weighted) else term
                if not isinstance(score, Call) or score.name != "normalise" or len(score.arguments) != 1:
                    continue
                inner = written.value(score.arguments[0].value)
                yield self.report(
                    "a term of a sum is standardised anyway",
                    score.span,
                    "normalising it before has no effect",
                    fix=replace(subject, score.span, inner, f"write `{inner}`", safe=False),
                )
