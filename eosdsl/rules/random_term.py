"""Randomness in a sum of scores.

## What it does

Says that one term of a score is `random`.

## Why

A random term beside others makes the choice of tokens noisy on purpose; results then depend on the seed. That is fine
for breaking ties or for exploring, and seldom meant in a method that is to be reported.

## Example

```eos
at layer 2: retain 50% by 0.9 * attention(query: last) + 0.1 * random(0)
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import Product, Sum, Weighted
from eosdsl.ir.quantities import Call
from eosdsl.rules.base import Rule, Subject


class RandomTerm(Rule):
    code = "I0386"
    name = "random-term"
    words = ("random",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for total in (*subject.nodes(Sum), *subject.nodes(Product)):
            terms = total.terms if isinstance(total, Sum) else total.factors
            for term in terms:
                score = term.score if isinstance(term, Weighted) else term
                if isinstance(score, Call) and score.name == "random":
                    yield self.report("one term of this score is random", score.span, "results depend on the seed")
