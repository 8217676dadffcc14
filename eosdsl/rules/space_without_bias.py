"""A space that may merge but has no attention bias.

## What it does

Says that a space offers merging and leaves the attention bias at none.

## Why

The bias is what makes merging pay: on a small LLaVA, at 16 of 64 tokens, max-min anchors with sharp merging reach 0.899
without it and 0.936 with it; pruning reaches 0.903. A search that cannot turn the bias on finds pruning.

## Example

```eos
space merges
at layer 2: retain ? 10%..50% by norm(hidden) via mix(? prune, ? merge) with positions: median
minimise task
subject to flops <= 50%
search with steps: 100, seed: 0
```

## Use instead

```eos
space merges
at layer 2: retain ? 10%..50% by norm(hidden) via mix(? prune, ? merge) with attention_bias: ? 0..1.5 * log_size
minimise task
subject to flops <= 50%
search with steps: 100, seed: 0
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs, has_bias, is_space


class SpaceWithoutBias(Rule):
    code = "I0561"
    name = "space-without-bias"
    words = ("space",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if not is_space(subject):
            return
        for step in subject.program.steps:
            merging = next((group for group in step.groups if absorbs(group.behaviour)), None)
            if merging is not None and not has_bias(step.bookkeeping.attention_bias):
                yield self.report(
                    "this space may merge, but not tell attention of it",
                    merging.behaviour.span or step.where.span,
                    "without a bias merging seldom pays",
                    helps=("add `with attention_bias: ? 0..1.5 * log_size`",),
                )
