"""A score or a param that nothing uses.

## What it does

Reports `score NAME = …` and `param NAME = …` whose name stands nowhere else in the file.

## Why

It has no effect. A slip of the pen in the place where it should be used is the usual reason, or a statement that was
taken out. In a file that others take in with `use`, allow it: `# eos: allow(W0250)`.

## Example

```eos
score worth = 0.7 * attention(query: last) + 0.3 * norm(hidden)
at layer 2: retain 50% by attention(query: last)
```

## Use instead

```eos
score worth = 0.7 * attention(query: last) + 0.3 * norm(hidden)
at layer 2: retain 50% by worth
```
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject
from eosdsl.syntax import tree

_WORD = re.compile(r'"[^"\r\n]*"|#[^\r\n]*|(?P<word>[A-Za-z_]\w*)')


class UnusedName(Rule):
    code = "W0250"
    name = "unused-name"
    words = (
        "score",
        "param",
    )

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        declared = [s for s in subject.file.statements if isinstance(s, tree.Score | tree.Param)]
        if not declared or not any(isinstance(s, tree.At) for s in subject.file.statements):
            return  # a file of definitions is there to be taken in
        words = Counter(match["word"] for match in _WORD.finditer(subject.source.text))
        for statement in declared:
            if words[statement.name.text] == 1:
                kind = "score" if isinstance(statement, tree.Score) else "param"
                yield self.report(
                    f"the {kind} `{statement.name.text}` is not used", statement.name.span, "nothing reads it"
                )
