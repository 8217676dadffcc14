"""A score that drops attention sinks.

## What it does

Says that tokens in the decoder are ranked by the norm of their keys or values alone.

## Why

Language models park attention on a few tokens, the first visual ones among them, whose keys and values are unusually
short. Ranked by those norms, exactly these sinks go first, and attention that rested there has to go elsewhere. The
norm of the hidden state, which is unusually large at sinks, keeps them.

## Example

```eos
at layer 4: retain 50% by norm(values)
```

## Use instead

```eos
at layer 4: retain 50% by 0.7 * attention(query: last) + 0.3 * norm(values)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.nodes import ScoreExpr, Weighted
from eosdsl.ir.quantities import Call, Quantity, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, reads_score


class SinkDroppingScore(Rule):
    code = "I0355"
    name = "sink-dropping-score"
    words = ("norm",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step, group in groups(subject):
            if step.where.stream != "decoder" or group.score is None or not _is_short_at_sinks(group.score):
                continue
            if reads_score(group.pick):
                yield self.report(
                    "attention sinks have short keys and values: this score drops them first",
                    group.score.span,
                    "the first visual token is one of them",
                    helps=("add a term of attention, or rank by `norm(hidden)`",),
                )


def _is_short_at_sinks(score: ScoreExpr) -> bool:
    """`norm(keys)` or `norm(values)`, alone or with a positive weight."""
    if isinstance(score, Weighted):
        positive = isinstance(score.weight, Quantity) and score.weight.value > 0
        return positive and _is_short_at_sinks(score.score)
    if not isinstance(score, Call) or score.name != "norm":
        return False
    return any(argument.value in (Word(name="keys"), Word(name="values")) for argument in score.arguments)
