"""Multiply-accumulates as PyTorch counts them, for holding formulas against.

The counter omits sdpa attention on CPU: models to count have to run `attn_implementation="eager"`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode


def counted_macs(run: Callable[[], Any]) -> int:
    """Half the FLOPs of everything that `run` computes."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        run()
    return counter.get_total_flops() // 2


def macs_by_module(run: Callable[[], Any], model: torch.nn.Module) -> dict[str, int]:
    """The same for every module by its path from `model` (the counter knows modules by class and path)."""
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        run()
    root = type(model).__name__
    counts = counter.get_flop_counts()
    return {name.removeprefix(f"{root}."): sum(ops.values()) // 2 for name, ops in counts.items() if name != "Global"}
