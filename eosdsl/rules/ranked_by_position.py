"""Tokens ranked by where they are.

## What it does

Reports `position` as the only score of a pick that reads scores.

## Why

Ranked by position alone, the tokens that are kept are a band at one end of the image. As a term beside others it can
counter a bias; alone it crops the picture.

## Example

```eos
at input: retain 50% by position
```

## Use instead

```eos
at input: retain 50% pick uniform
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import ScoreExpr, Weighted
from eosdsl.ir.quantities import Call, Dims, Open, Quantity, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, reads_score


class RankedByPosition(Rule):
    code = "W0389"
    name = "ranked-by-position"
    words = ("position",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for _, group in groups(subject):
            if group.score is not None and _is_position(group.score) and reads_score(group.pick):
                yield self.report(
                    "tokens are ranked by where they are",
                    group.score.span,
                    "this crops the image",
                    helps=("`pick uniform` spreads the kept tokens over the image",),
                )


def _is_position(score: ScoreExpr | Quantity | Word | Dims | Open) -> bool:
    """`position`, weighed or negated."""
    if isinstance(score, Weighted):
        return _is_position(score.score)
    if isinstance(score, Call) and score.name == "negate" and score.arguments:
        return _is_position(score.arguments[0].value)
    return isinstance(score, Call | Word) and score.name == "position"
