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
from eosdsl.ir.nodes import Step
from eosdsl.rules.base import Rule, Subject
from eosdsl.rules.support import absorbs

_Place = tuple[str, int, bool]  # stream, layer, after its attention


class PruneBeforeMerge(Rule):
    code = "W0353"
    name = "prune-before-merge"
    words = ("via",)

    def check_program(self, subject: Subject) -> Iterator[Diagnostic]:
        starts = {
            place: step for step in subject.program.steps if (place := _start(step)) is not None and _merges(step)
        }
        for step in subject.program.steps:
            following = next((starts[place] for place in _soon_after(step) if place in starts), None)
            if following is None or _merges(step):
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


def _start(step: Step) -> _Place | None:
    """Where a step begins; None where that is open or depends on the model."""
    where = step.where
    if where.stream == "encoder_output" or where.choose is not None or not where.layers:
        return None
    index = where.layers[0].index
    return None if index is None else (where.stream, index, where.after_attention)


def _soon_after(step: Step) -> tuple[_Place, ...]:
    """The places at most one layer after a step's last one."""
    where = step.where
    if where.stream == "encoder_output":
        return (("decoder", 0, False),)
    index = where.layers[-1].index if where.layers and where.choose is None else None
    if index is None:
        return ()
    if where.after_attention:
        return ((where.stream, index + 1, False), (where.stream, index + 1, True))
    return ((where.stream, index, True), (where.stream, index + 1, False))
