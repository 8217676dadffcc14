"""The same score twice in one sum.

## What it does

Reports two terms of a sum that are the same score.

## Why

Each term is standardised, so the two add up to one term with the sum of their weights. Written twice, the weights that
a reader sees are not those that act. Often the second was meant to be another score.

## Example

```eos
at layer 2: retain 50% by 0.5 * norm(hidden) + 0.2 * attention(query: last) + 0.3 * norm(hidden)
```

## Use instead

```eos
at layer 2: retain 50% by 0.8 * norm(hidden) + 0.2 * attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import ScoreExpr, Sum, Weighted
from eosdsl.rules.base import Rule, Subject
from eosdsl.views import written


class DuplicateScoreTerms(Rule):
    code = "W0380"
    name = "duplicate-score-terms"
    words = (
        "+",
        "-",
    )

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for total in subject.nodes(Sum):
            first: dict[ScoreExpr, ScoreExpr] = {}
            for term in total.terms:
                score = term.score if isinstance(term, Weighted) else term
                earlier = first.setdefault(score, term)
                if earlier is not term:
                    yield self.report(
                        f"`{written.score(score)}` stands twice in one sum",
                        term.span,
                        "the same score again",
                        also=[(earlier.span, "first here")],
                        helps=("add the weights up, or name another score",),
                    )
