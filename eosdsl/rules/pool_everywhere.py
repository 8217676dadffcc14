"""Pooling over the whole image.

## What it does

Reports `pool` without a support (`within`), by itself or as a part of a mix.

## Why

Everywhere, every anchor takes in the same share of every token that is given up: all anchors are drawn to one mean and
grow alike. On a small LLaVA, max-min anchors with uniform pooling lost most of the accuracy that the same anchors had
with merging (0.36 to 0.55 against 0.94 at 16 of 64 tokens). Pooling is meant for neighbours.

## Example

```eos
at input: retain 25% by norm(hidden) via pool
```

## Use instead

```eos
at input: pick grid(2x2) via pool(within: window(2x2)) with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.quantities import Call, Open, Word
from eosdsl.operators.binding import bind_call
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import groups, parts


class PoolEverywhere(Rule):
    code = "W0358"
    name = "pool-everywhere"
    words = ("pool",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        for _, group in groups(subject):
            if isinstance(group.pick, Open) or _brings_support(group.pick):
                continue
            for call, share in parts(group.behaviour):
                if call.name == "pool" and share not in (0, None) and _is_everywhere(call):
                    yield self.report(
                        "pooling over the whole image makes all kept tokens alike",
                        call.span,
                        "every kept token takes in the same mean",
                        helps=("name a support: `pool(within: nearest(8))`", "or merge into the most similar token"),
                    )


def _brings_support(pick: Call) -> bool:
    """Whether the pick itself says which token may go where."""
    bound, _ = bind_call("picks", pick)
    return bound is not None and bound.own_support() is not None


def _is_everywhere(call: Call) -> bool:
    within = call.argument("within")
    return within is None or (isinstance(within, Call | Word) and within.name == "everywhere")
