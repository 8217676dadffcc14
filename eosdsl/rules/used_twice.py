"""One file taken in twice.

## What it does

Reports a second `use` of the same path.

## Why

The second one adds nothing. Two paths that differ in a letter were meant, or a merge of two branches kept both lines.

## Example

```eos spec.eos
use "a.eos"
use "a.eos"
```

## Use instead

```eos spec.eos
use "a.eos"
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import remove
from eosdsl.syntax import tree


class UsedTwice(Rule):
    code = "W0153"
    name = "used-twice"
    words = ("use",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        first: dict[str, tree.Use] = {}
        for statement in subject.file.statements:
            if not isinstance(statement, tree.Use):
                continue
            earlier = first.setdefault(statement.path.text, statement)
            if earlier is not statement:
                yield self.report(
                    "this file is taken in already",
                    statement.span,
                    "again",
                    also=[(earlier.span, "first here")],
                    fix=remove(subject, statement.span, "leave the second one out", safe=True),
                )
