"""Pruning right before merging.

## What it does

Reports a step that only prunes, when the next step, at most one layer on, merges.

## Why

The tokens that are pruned are gone when the merging comes: content is thrown away one moment before content is being
saved. With at most a layer between, the scores have hardly changed. One step that merges, or a `mix`, says what is
meant and costs one selection less.

## Example

```eos
at layer 5: retain 50% by norm(hidden) via prune
at layer 6: retain 25% by norm(hidden) via merge with attention_bias: log_size
```

## Use instead

```eos
at layer 5: retain 25% by norm(hidden) via mix(0.5 prune, 0.5 merge) with attention_bias: log_size
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import LayerRef, Step
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs


class PruneBeforeMerge(Rule):
    code = "W0353"
    name = "prune-before-merge"
    words = ("via",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        steps = subject.program.steps
        for step in steps:
            following = next((other for other in steps if other is not step and _follows(step, other)), None)
            if following is None or _merges(step) or not _merges(following):
                continue
            yield self.report(
                "tokens are pruned right before others are merged",
                step.groups[0].behaviour.span or step.where.span,
                "their content could have been merged",
                also=[(following.where.span, "merges")],
                helps=("join the two: merge, or `via mix(0.5 prune, 0.5 merge)`",),
            )


def _merges(step: Step) -> bool:
    return any(absorbs(group.behaviour) for group in step.groups)


def _follows(step: Step, other: Step) -> bool:
    """Whether the other step starts where this one ends, or one layer on."""
    if step.where.choose is not None or other.where.choose is not None:
        return False
    if step.where.stream == "encoder_output":
        return other.where.stream == "decoder" and _place(other, 0) == (0, False)
    end, start = _place(step, -1), _place(other, 0)
    if step.where.stream != other.where.stream or end is None or start is None:
        return False
    return end < start <= (end[0] + 1, end[1])


def _place(step: Step, which: int) -> tuple[int, bool] | None:
    """The first (0) or last (-1) layer of a step, and whether it is after the attention."""
    layers: tuple[LayerRef, ...] = step.where.layers
    index = layers[which].index if layers else None
    return (index, step.where.after_attention) if index is not None else None
