"""Attention from every row.

## What it does

Says that a score reads attention from all rows.

## Why

One query row costs one row of the attention matrix. All rows cost all of it, once more than the layer itself does, and
most of them are visual tokens judging each other: the question has little say. FastV (arXiv 2403.06764) reads the last
row; copies of it that average over all rows keep other tokens.

## Example

```eos
at layer 2: retain 50% by attention(query: all)
```

## Use instead

```eos
at layer 2: retain 50% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.ir.quantities import Call, Word
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import calls_of, groups


class AllRows(Rule):
    code = "I0367"
    name = "all-rows"
    words = ("all",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for _, group in groups(subject):
            for call in calls_of(group.score) if group.score is not None else ():
                if _reads_all(call):
                    yield self.report(
                        "attention from all rows costs a whole attention matrix",
                        call.span,
                        "most of the rows are visual tokens",
                        helps=("`query: last` or `query: text` read what the question looks at",),
                    )


def _reads_all(call: Call) -> bool:
    return call.name == "attention" and call.argument("query") == Word(name="all")
