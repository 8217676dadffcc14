"""A number of tokens that is claimed, and another that is so.

## What it does

Reports a spec whose name or header comment says "192 tokens" (`_192`, `192 tokens`) when the mean number of visual
tokens entering the decoder's layers is more than that by over 2%, and no layer is left with that number either.
Fewer than claimed is no offence: budgets are one-sided.

## Why

Published budgets are often counted where a layer ends, with the pruning of that layer done: SparseVLM's 192, 128 and
64 are 206.5, 145.4 and 82.3 when tokens entering the layers are counted. Compared at such numbers, methods differ by
their bookkeeping. Here everything counts tokens entering.

## Example

```eos llava-1.5-7b
# keeps 192 tokens on average
operator slow_start for llava
at layer 8: retain 100 tokens
```

## Use instead

```eos llava-1.5-7b
# keeps 219 tokens on average
operator slow_start for llava
at layer 8: retain 100 tokens
```
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.schedule import Schedule
from eosdsl.rules.base import Rule, Subject
from eosdsl.source import Span
from eosdsl.syntax import tree

_IN_COMMENT = re.compile(r"\b(\d+)(?:\s+visual)?\s+tokens\b")
_IN_NAME = re.compile(r"_(\d+)$")


class ClaimedTokens(Rule):
    code = "W0364"
    name = "claimed-tokens"

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        if any(group.count is None for reduction in schedule.reductions for group in reduction.groups):
            return
        mean = schedule.mean_tokens
        kept = {*schedule.main_tokens, *(group.count for r in schedule.reductions for group in r.groups)}
        for claimed, span in _claims(subject):
            if claimed in kept or claimed > schedule.model.visual_tokens or mean <= claimed * Fraction(102, 100):
                continue
            yield self.report(
                f"{claimed} tokens are claimed, and {float(mean):.1f} enter a layer on average",
                span,
                f"on {schedule.model.name}",
                helps=("count tokens entering each layer; `expect tokens(mean) <= N` keeps the promise",),
            )


def _claims(subject: Subject) -> Iterator[tuple[int, Span]]:
    """Numbers of tokens in the operator's name and in the comments before the first step."""
    steps = [statement.span.start for statement in subject.file.statements if isinstance(statement, tree.At)]
    first = min(steps, default=0)
    for comment in subject.file.comments:
        if comment.span.start < first:
            for match in _IN_COMMENT.finditer(comment.text):
                start = comment.span.start + match.start()
                yield int(match[1][:9]), subject.source.span(start, start + len(match[0]))
    for statement in subject.file.statements:
        if isinstance(statement, tree.Header) and (match := _IN_NAME.search(statement.name.text)):
            yield int(match[1][:9]), statement.name.span
