"""Prefill and decode time of every side beside the full model, and the cache that its prompt leaves.

Every timing of a side has one of the full model right before it: what is reported is the median of their ratios, so
that a machine that slows down slows both. On one thread it is processor time: a process that others keep waiting, or
stop altogether, is not called slow.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from eosdsl.evaluating.asking import Panel
from eosdsl.evaluating.sides import Side
from eosdsl.lowering.cache_name import cache_of
from eosdsl.run.clock import Timing, time_generate
from eosdsl.tasks.base import Example

NEW_TOKENS = 8


@dataclass(frozen=True, slots=True)
class Speed:
    """Of one side, for a batch. Seconds; `prefill_ratio` and `decode_ratio`: full over side, above 1 is faster.

    `kv_bytes`: what the cache holds of the batch's prompts.
    """

    side: str
    batch: int
    prefill: float
    decode: float
    prefill_ratio: float
    decode_ratio: float
    kv_bytes: int


def timed(
    panel: Panel, examples: Sequence[Example], rounds: int, progress: Callable[[str], None] = lambda side: None
) -> list[Speed]:
    """The speed of every side of a panel on one batch; vision tower included."""
    full = panel.sides[0]
    panel.new_batch()
    found: list[Speed] = []
    for side in panel.sides:
        progress(side.name)
        kv_bytes = _cache(panel, side, examples)  # warms up, too
        pairs = [(_one(panel, full, examples), _one(panel, side, examples)) for _ in range(rounds)]
        found.append(
            Speed(
                side=side.name,
                batch=len(examples),
                prefill=median(own.prefill for _, own in pairs),
                decode=median(own.decode for _, own in pairs),
                prefill_ratio=median(whole.prefill / own.prefill for whole, own in pairs),
                decode_ratio=median(whole.decode / own.decode for whole, own in pairs),
                kv_bytes=kv_bytes,
            )
        )
    return found


def _one(panel: Panel, side: Side, examples: Sequence[Example]) -> Timing:
    inputs = panel.inputs(side, examples)
    with panel.attached(side):
        panel.new_features()
        return time_generate(panel.model, inputs, NEW_TOKENS)


def _cache(panel: Panel, side: Side, examples: Sequence[Example]) -> int:
    """Bytes of the keys and values after prefill, padding included."""
    inputs: Any = panel.inputs(side, examples)
    with panel.attached(side):
        out = panel.model.generate(
            **inputs, max_new_tokens=1, do_sample=False, num_beams=1, return_dict_in_generate=True
        )
    return sum(int(layer.keys.nbytes + layer.values.nbytes) for layer in cache_of(out).layers)
