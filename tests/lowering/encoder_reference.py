"""A second implementation of ViT, CLIP, SigLIP and DINOv2 layers, for one image, in plain loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from tower_reference import Patches

Site = Callable[[Patches], Patches]


def last_rows(
    layers: Any,
    embedded: Tensor,
    leading: int,
    middles: Mapping[int, Site],
    bias: float,
    before: Mapping[int, Site] | None = None,
) -> Patches:
    """The rows behind the last layer, of an image whose rows enter the first as `embedded` [L, D].

    middles, before: what becomes of rows between the halves of a layer, and in front of it; bias: strength of log size
    in attention.
    """
    length = len(embedded)
    rows = Patches(embedded, torch.ones(length), [*[-1] * leading, *range(length - leading)])
    for index, layer in enumerate(layers):
        attention = getattr(layer, "attention", None) or layer.self_attn
        rows = before[index](rows) if before and index in before else rows
        rows = _attend(layer, attention, rows, bias)
        if index in middles:
            rows = middles[index](rows)
        made = layer.mlp(_first(layer, "layernorm_after", "norm2", "layer_norm2")(rows.hidden))
        rows = replace(rows, hidden=rows.hidden + _scale(layer, "layer_scale2") * made)
    return rows


def _attend(layer: Any, attention: Any, rows: Patches, bias: float) -> Patches:
    normed = _first(layer, "layernorm_before", "norm1", "layer_norm1")(rows.hidden)
    width = attention.head_dim
    q, k, v = (
        torch.nn.functional.linear(normed, p.weight, p.bias).view(len(normed), -1, width)
        for p in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    weights = [
        (q[:, head] @ k[:, head].T / width**0.5 + bias * rows.sizes.log()).softmax(dim=-1) for head in range(q.shape[1])
    ]
    mixed = torch.cat([one @ v[:, head] for head, one in enumerate(weights)], dim=1)
    out = _first(attention, "o_proj", "out_proj")
    made = _scale(layer, "layer_scale1") * torch.nn.functional.linear(mixed, out.weight, out.bias)
    return replace(rows, hidden=rows.hidden + made, attention=torch.stack(weights), keys=k)


def _first(owner: Any, *names: str) -> Any:
    return next(getattr(owner, name) for name in names if hasattr(owner, name))


def _scale(layer: Any, name: str) -> Any:
    return getattr(layer, name).lambda1 if hasattr(layer, name) else 1.0
