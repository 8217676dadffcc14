"""ToMe (arXiv 2210.09461): bipartite soft matching on keys, averages by size, layer after layer."""

from __future__ import annotations

import torch
from torch import Tensor

from eosdsl.golden.case import Case
from eosdsl.golden.comparing import Check, same_batches
from eosdsl.operators.step import apply_step


def run(case: Case) -> list[Check]:
    """A class token in front is never merged, and makes the first patch an odd token. Sources that stay come first."""
    hidden = case.given("hidden")
    front = 1 if case.meta.get("class_token", False) else 0
    sizes = torch.ones(hidden.shape[:2])
    side, order = ("odd", "anchors_then_rest") if front else ("even", "score")
    checks: list[Check] = []
    for layer in range(1, int(case.meta.get("layers", 1)) + 1):
        given = min(int(case.parameter("remove")), (hidden.shape[1] - front) // 2)
        pick = f"bipartite(on: keys, sources: {side})"
        step = f"remove {given} tokens pick {pick} via merge(weight: size) with order: {order}"
        keys = case.given(f"keys_layer{layer}")
        made = apply_step(step, hidden[:, front:], keys=keys[:, front:], sizes=sizes[:, front:])
        hidden = torch.cat([hidden[:, :front], made.hidden], dim=1)
        sizes = torch.cat([sizes[:, :front], made.sizes], dim=1)
        wanted = case.wanted(f"hidden_layer{layer}"), case.wanted(f"sizes_layer{layer}")
        checks.append(
            same_batches(f"rows and sizes of layer {layer}", _beside(hidden, sizes), _beside(*wanted), case.tolerance)
        )
    return checks


def _beside(hidden: Tensor, sizes: Tensor) -> Tensor:
    """Rows [B, K, D + 1] with their sizes, so that each is compared with its own."""
    return torch.cat([hidden, sizes.reshape(*hidden.shape[:2], 1).to(hidden.dtype)], dim=2)
