"""Raw and standardised terms in one sum.

## What it does

Says that a sum holds `raw(…)` beside terms that are standardised.

## Why

A standardised term has deviation one. A raw one is as large as it comes: attention weights are thousandths, norms are
tens. One of the two will decide alone, whatever the weights beside them suggest, and which one depends on the model.

## Example

```eos
at layer 2: retain 50% by 0.5 * raw(norm(hidden)) + 0.5 * attention(query: last)
```

## Use instead

```eos
at layer 2: retain 50% by 0.5 * norm(hidden) + 0.5 * attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject


class RawBesideStandardised(Rule):
    code = "I0387"
    name = "raw-beside-standardised"
    words = ("raw",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for total in subject.nodes(Sum):
            raw = [term for term in total.terms if _is_raw(term)]
            if raw and len(raw) < len(total.terms):
                yield self.report("a raw term beside standardised ones", raw[0].span, "on a scale of its own")


def _is_raw(term: ScoreExpr) -> bool:
    score = term.score if isinstance(term, Weighted) else term
    return isinstance(score, Call) and score.name == "raw"
