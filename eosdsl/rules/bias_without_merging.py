"""An attention bias where nothing is merged.

## What it does

Reports `attention_bias` (or `proportional_attention`) in a spec none of whose steps merges.

## Why

The bias is the logarithm of how many tokens a row stands for. Where tokens are only dropped every row stands for one,
the logarithm is zero, and the bias changes nothing.

## Example

```eos
at layer 2: retain 50% by norm(hidden) via prune with attention_bias: log_size
```

## Use instead

```eos
at layer 2: retain 50% by norm(hidden) via merge with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import has_bias, merges


class BiasWithoutMerging(Rule):
    code = "W0361"
    name = "bias-without-merging"
    words = (
        "attention_bias",
        "proportional_attention",
    )

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        if merges(subject):
            return
        for step in subject.program.steps:
            bias = step.bookkeeping.attention_bias
            if has_bias(bias):
                yield self.report(
                    "an attention bias where nothing is merged",
                    bias.span or step.bookkeeping.span or step.where.span,
                    "every row stands for one token: the bias is zero",
                )
