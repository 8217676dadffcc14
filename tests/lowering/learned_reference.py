"""DynamicViT's predictor (arXiv 2106.02034, section 3.2) in plain torch, from tensors by name; sites that use it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import gelu, layer_norm, linear
from tower_reference import Patches, keep


def keeping(tensors: Mapping[str, Tensor], hidden: Tensor) -> Tensor:
    """Log probability of being kept [N] of the rows [N, D] that are there, float32."""
    x = hidden.float()
    width = x.shape[1]
    x = layer_norm(x, (width,), tensors["in_conv.0.weight"], tensors["in_conv.0.bias"])
    x = gelu(linear(x, tensors["in_conv.1.weight"], tensors["in_conv.1.bias"]))
    local, others = x[:, : width // 2], x[:, width // 2 :].mean(dim=0)
    x = torch.stack([torch.cat([own, others]) for own in local])
    for place in (0, 2):
        x = gelu(linear(x, tensors[f"out_conv.{place}.weight"], tensors[f"out_conv.{place}.bias"]))
    return linear(x, tensors["out_conv.4.weight"], tensors["out_conv.4.bias"]).log_softmax(dim=1)[:, 0]


def numbers_of(learned: Any, key: str) -> dict[str, Tensor]:
    """The tensors of one network, without its key."""
    return {name.removeprefix(f"{key}."): t for name, t in learned.state_dict().items() if name.startswith(f"{key}.")}


def best_by(tensors: Mapping[str, Tensor], count: int) -> Callable[[Patches], Patches]:
    """A site of a tower that keeps the `count` patches of the highest scores, and what is no patch."""

    def site(rows: Patches) -> Patches:
        patches = rows.free
        scores = keeping(tensors, rows.hidden[patches])
        kept = [patches[i] for i in scores.topk(count).indices.tolist()]
        return keep(rows, [row for row, place in enumerate(rows.places) if place < 0 or row in kept])

    return site


def drawn(learned: Any, seed: int = 3) -> None:
    """Numbers large enough to tell rows apart."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for number in learned.parameters():
            number.copy_(torch.randn(number.shape, generator=generator) * (0.6 if number.ndim == 2 else 0.3))


def share(tokens: int, of: float) -> int:
    """A budget in percent, rounded up."""
    return ceil(round(tokens * of, 6))
