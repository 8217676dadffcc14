"""Prefill and decode time of one `generate`, taken while it streams its tokens."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import torch
from transformers.generation.streamers import BaseStreamer


@dataclass(frozen=True)
class Timing:
    """Seconds, by `seconds`. `prefill`: from the call to the first token, vision tower included; `decode`: per further
    token."""

    prefill: float
    decode: float


def synchronise(device: torch.device) -> None:
    """Wait until a device has done what it was given; the processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds(device: torch.device) -> float:
    """The time once a device has done what it was given. On one thread of a processor it is this process's own, which
    other work of the machine does not stretch.
    """
    synchronise(device)
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    return time.process_time() if alone else time.perf_counter()


class TokenClock(BaseStreamer):
    """A streamer that notes when tokens arrive. `generate` first hands it the prompt, then token by token."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._times: list[float] = []

    def put(self, value: Any) -> None:
        self._times.append(seconds(self._device))

    def end(self) -> None:
        pass

    def timing(self, started: float) -> Timing:
        """What was noted, for a call that began at `started`."""
        _, first, *further = self._times
        return Timing(first - started, (further[-1] - first) / len(further))


def time_generate(model: Any, inputs: Any, new_tokens: int) -> Timing:
    """Generate exactly `new_tokens` (at least 2) tokens greedily and time them."""
    clock = TokenClock(model.device)
    started = seconds(model.device)
    model.generate(
        **inputs, max_new_tokens=new_tokens, min_new_tokens=new_tokens, do_sample=False, num_beams=1, streamer=clock
    )
    return clock.timing(started)
