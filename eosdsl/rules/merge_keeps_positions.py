"""Merging that keeps positions, without an attention bias.

## What it does

Says that a step merges tokens, leaves the kept ones at their old positions, and adds no bias for their sizes.

## Why

It is the combination that fares worst in published comparisons: at 64 tokens on LLaVA-1.5-7B, merge and keep without
bias reaches 90.1 on average, merge and re-index 93.5, merge and keep with a bias 96.5 (RESTORE, arXiv 2606.01711;
HoloV). A merged row stands for many tokens but gets the attention of one.

## Example

```eos
at layer 2: retain 25% via merge
```

## Use instead

```eos
at layer 2: retain 25% via merge with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, Severity
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs, has_bias, is_space


class MergeKeepsPositions(Rule):
    code = "I0354"
    name = "merge-keeps-positions"
    words = ("via",)
    severity = Severity.INFO

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if is_space(subject):
            return  # what a space leaves out is another rule's: `space-without-bias`
        for step in subject.program.steps:
            if step.where.stream == "encoder" or step.bookkeeping.positions != "keep":
                continue
            if has_bias(step.bookkeeping.attention_bias):
                continue
            group = next((group for group in step.groups if absorbs(group.behaviour)), None)
            if group is None:
                continue
            yield self.report(
                "merged tokens keep their positions and get no attention bias",
                group.behaviour.span or group.span or step.span,
                "rows that stand for many tokens",
                helps=("`with attention_bias: log_size` lets later attention count what a row stands for",),
            )
