"""The inside of a layer that scores need: its norms, its projections, its rotation. Nothing else looks in there.

Decoder layers of the Llama kind and encoder layers of CLIP and SigLIP differ in names only.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from torch import Tensor, nn

Which = Literal["q", "k", "v"]
Rope = tuple[Tensor, Tensor]


def project(layer: Any, hidden: Tensor, which: Which) -> Tensor:
    """Queries, keys or values of rows entering a layer, heads apart, not rotated: [B, R, D] → [B, H, R, head width]."""
    attention = layer.self_attn
    rows = getattr(attention, f"{which}_proj")(before_attention(layer)(hidden))
    heads = rows.view(*rows.shape[:-1], -1, attention.head_dim)
    norm = getattr(attention, f"{which}_norm", None)
    return (heads if norm is None else norm(heads)).transpose(1, 2)


def rotate(layer: Any, heads: Tensor, rope: Rope | None) -> Tensor:
    """Rotate queries or keys [B, H, R, head width] by rope: (cos, sin), each [1 or B, R, head width]; None: leave
    them.
    """
    if rope is None or not _rotates(layer.self_attn):
        return heads
    modelling = sys.modules[type(layer.self_attn).__module__]
    return modelling.apply_rotary_pos_emb(heads, heads, *rope)[0]


def _rotates(attention: Any) -> bool:
    """Whether an attention rotates at all: the full layers of Cohere 2 do not."""
    return type(attention).__name__ != "Cohere2Attention" or attention.sliding_window is not None


def softcap(layer: Any) -> float | None:
    """The bound that logits are bent towards before the softmax (Gemma 2), None: none."""
    return getattr(layer.self_attn, "attn_logit_softcapping", None)


def scaling(layer: Any) -> float:
    """The factor on the dot products of queries and keys."""
    attention = layer.self_attn
    return float(getattr(attention, "scaling", None) or attention.scale)


def before_attention(layer: Any) -> nn.Module:
    """The norm in front of a layer's attention."""
    return layer.input_layernorm if hasattr(layer, "input_layernorm") else layer.layer_norm1


def after_attention(layer: Any, out: Tensor) -> Tensor:
    """What a layer's attention adds to its rows: normed first where the MLP has a norm of its own in front (Gemma)."""
    return layer.post_attention_layernorm(out) if hasattr(layer, "pre_feedforward_layernorm") else out


def after_mlp(layer: Any, out: Tensor) -> Tensor:
    """What a layer's MLP adds to its rows."""
    return layer.post_feedforward_layernorm(out) if hasattr(layer, "post_feedforward_layernorm") else out


def before_mlp(layer: Any) -> nn.Module:
    """The norm in front of a layer's MLP."""
    if hasattr(layer, "pre_feedforward_layernorm"):
        return layer.pre_feedforward_layernorm
    return layer.post_attention_layernorm if hasattr(layer, "post_attention_layernorm") else layer.layer_norm2
