"""A range of one layer.

## What it does

Reports `layer 5..5`.

## Why

A range whose ends are one layer is that layer. Usually one end is a slip of the pen.

## Example

```eos
at layer 5..5: retain 25% by norm(hidden)
```

## Use instead

```eos
at layer 5: retain 25% by norm(hidden)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import replace
from eosdsl.syntax import tree


class OneLayerRange(Rule):
    code = "W0375"
    name = "one-layer-range"
    words = ("..",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for statement in subject.file.statements:
            for item in statement.site.items if isinstance(statement, tree.At) else ():
                if item.last is not None and item.first == item.last:
                    text = subject.text(item.first.span)
                    yield self.report(
                        "a range of one layer",
                        item.span,
                        "both ends are the same",
                        fix=replace(subject, item.span, text, f"write `{text}`", safe=True),
                    )
