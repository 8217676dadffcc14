"""An operator that is not named like its file.

## What it does

Says that the name after `operator` or `space` is not that of the file.

## Why

Plans and reports print the operator's name, people look for the file. Copied specs keep the old name, and results of
two methods end up under one.

## Example

```eos pyramid.eos
operator fastv
at layer 2: retain 50% by attention(query: last)
```

in the file `pyramid.eos`.

## Use instead

```eos fastv.eos
operator fastv
at layer 2: retain 50% by attention(query: last)
```

in the file `fastv.eos`.
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import replace
from eosdsl.syntax import tree


class NameAndFile(Rule):
    code = "I0152"
    name = "name-and-file"
    words = (
        "operator",
        "space",
    )
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        path = subject.source.path
        if path is None or path.suffix != ".eos" or not path.stem.isidentifier():
            return
        for statement in subject.file.statements:
            if isinstance(statement, tree.Header) and statement.name.text != path.stem:
                yield self.report(
                    f"`{statement.name.text}` is in the file {path.name}",
                    statement.name.span,
                    "reports use this name",
                    fix=replace(subject, statement.name.span, path.stem, f"write `{path.stem}`", safe=False),
                )
