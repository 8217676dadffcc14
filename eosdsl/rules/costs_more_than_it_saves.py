"""A step that costs more than it saves.

## What it does

Reports a step, on a model, whose scoring and merging takes more multiply-accumulates than all layers after it are
spared.

## Why

Scores recompute attention, similarities compare all tokens with all anchors, and a look at all rows is a whole
attention matrix. Late in the model, or for few tokens, that is more work than it saves. `eosdsl plan` counts both.

## Example

```eos llava-1.5-7b
at layer 31: retain 99% by attention(query: all, layer: next) via merge with attention_bias: log_size
```

## Use instead

```eos llava-1.5-7b
at layer 4: retain 50% by attention(query: last)
```
"""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.rules.base import Rule, Subject

_TEXT = 64  # text tokens of the usual prompt, as `plan` assumes


class CostsMoreThanItSaves(Rule):
    code = "W0370"
    name = "costs-more-than-it-saves"

    def check_schedule(self, subject: Subject, schedule: Schedule) -> Iterator[Diagnostic]:
        from eosdsl.cost.account import schedule_cost

        if len(schedule.reductions) == 0:
            return
        whole = schedule_cost(schedule, _TEXT, 1).macs.total
        for number, step in enumerate(subject.program.steps):
            mine = [r for r in schedule.reductions if r.statement == number]
            if not mine or not _gives_up(mine) or _serves_others(mine, schedule):
                continue
            others = tuple(r for r in schedule.reductions if r.statement != number)
            without = schedule_cost(schedule.model_copy(update={"reductions": others}), _TEXT, 1).macs.total
            if whole > without:
                yield self.report(
                    f"this step costs {_giga(whole - without)} more than it saves",
                    step.where.span or step.span,
                    f"on {schedule.model.name}, with {_TEXT} text tokens",
                )


def _gives_up(reductions: list[SiteReduction]) -> bool:
    return any(r.retained < r.incoming for r in reductions)


def _serves_others(reductions: list[SiteReduction], schedule: Schedule) -> bool:
    """Whether the step reduces what an image encoder by itself gives out: who reads that saves, not the encoder."""
    return not schedule.model.decoder.layers and all(r.site.stream == "encoder_output" for r in reductions)


def _giga(macs: int) -> str:
    return f"{macs / 1e9:.3g} GMACs"
