"""The inside of a decoder layer that scores need: its norm, its projections, its rotation. Nothing else looks in
there.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from torch import Tensor, nn

Which = Literal["q", "k", "v"]
Rope = tuple[Tensor, Tensor]


def project(layer: Any, hidden: Tensor, which: Which) -> Tensor:
    """Queries, keys or values of rows entering a layer, heads apart, before rotation: [B, R, D] → [B, H, R, head
    width].
    """
    attention = layer.self_attn
    normed = layer.input_layernorm(hidden)
    rows = getattr(attention, f"{which}_proj")(normed)
    heads = rows.view(*rows.shape[:-1], -1, attention.head_dim)
    norm = getattr(attention, f"{which}_norm", None)
    return (heads if norm is None else norm(heads)).transpose(1, 2)


def rotate(layer: nn.Module, heads: Tensor, rope: Rope) -> Tensor:
    """Rotate queries or keys [B, H, R, head width] by rope: (cos, sin), each [1 or B, R, head width]."""
    modelling = sys.modules[type(_attention(layer)).__module__]
    return modelling.apply_rotary_pos_emb(heads, heads, *rope)[0]


def scaling(layer: nn.Module) -> float:
    """The factor on the dot products of queries and keys."""
    return float(_attention(layer).scaling)


def _attention(layer: Any) -> Any:
    return layer.self_attn
