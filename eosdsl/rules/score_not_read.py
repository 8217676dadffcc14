"""A score that the pick does not read.

## What it does

Reports `by …` beside a pick that chooses without scores (`uniform`, `grid`, `random`, `diverse` and others).

## Why

The score has no effect on which tokens are kept, though the spec reads as if it had. It is not computed either: what
was meant is probably another pick, or no score.

A behaviour that weighs by score (`weight: score`) does read it; then nothing is reported.

## Example

```eos
at layer 2: retain 50% by attention(query: last) pick uniform
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last) pick top
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Group
from eosdsl.ir.quantities import Call, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, parts, reads_score, remove


class ScoreNotRead(Rule):
    code = "W0382"
    name = "score-not-read"
    words = ("pick",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for step, group in groups(subject):
            if group.score is None or reads_score(group.pick) or _weighs_by_score(group):
                continue
            if step.bookkeeping.order == "score":
                continue
            written = subject.written(group)
            clause = written.by.span if written is not None and written.by is not None else None
            pick = group.pick.name if isinstance(group.pick, Call) else "?"
            yield self.report(
                f"`pick {pick}` does not read scores",
                clause or group.score.span,
                "this has no effect",
                also=[(group.pick.span, "chooses without it")],
                fix=remove(subject, clause, "leave the score out", safe=True),
            )


def _weighs_by_score(group: Group) -> bool:
    return any(call.argument("weight") == Word(name="score") for call, _ in parts(group.behaviour))
