"""The inside of a layer that scores need: its norms, its projections, its rotation. Nothing else looks in there.

Decoder layers of the Llama kind and encoder layers of CLIP, SigLIP and ViT differ in names only; DINOv2 scales what a
half adds.
"""

from __future__ import annotations

import sys
from typing import Any, Literal

from torch import Tensor, nn

Which = Literal["q", "k", "v"]
Rope = tuple[Tensor, Tensor]


def project(layer: Any, hidden: Tensor, which: Which) -> Tensor:
    """Queries, keys or values of rows entering a layer, heads apart, not rotated: [B, R, D] → [B, H, R, head width], on
    the device of `hidden` wherever the layer lies.
    """
    return project_normed(layer, before_attention(layer)(hidden), which).to(hidden.device)


def project_normed(layer: Any, normed: Tensor, which: Which) -> Tensor:
    """As `project`, of rows that went through the layer's norm already, on the device of the layer."""
    attention = attention_of(layer)
    if hasattr(attention, "qkv"):
        return _heads(attention, attention.qkv(normed).chunk(3, dim=-1)["qkv".index(which)], which)
    return _heads(attention, getattr(attention, f"{which}_proj")(normed), which)


def project_all(layer: Any, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys and values as `project_normed` gives them."""
    attention = attention_of(layer)
    if not hasattr(attention, "qkv"):
        return (
            project_normed(layer, normed, "q"),
            project_normed(layer, normed, "k"),
            project_normed(layer, normed, "v"),
        )
    queries, keys, values = attention.qkv(normed).chunk(3, dim=-1)
    return _heads(attention, queries, "q"), _heads(attention, keys, "k"), _heads(attention, values, "v")


def _heads(attention: Any, rows: Tensor, which: Which) -> Tensor:
    norm = getattr(attention, f"{which}_norm", None)
    if norm is not None and len(getattr(norm, "weight", ())) == rows.shape[-1]:  # InternVL norms heads all together
        rows, norm = norm(rows), None
    heads = rows.unflatten(-1, (-1, attention.head_dim))
    return (heads if norm is None else norm(heads)).transpose(1, 2)


def rotate(layer: Any, heads: Tensor, rope: Rope | None) -> Tensor:
    """Rotate queries or keys [B, H, R, head width] by rope: (cos, sin), each [1 or B, R, head width]; None: leave
    them.
    """
    if rope is None or not _rotates(attention_of(layer)):
        return heads
    modelling = sys.modules[type(attention_of(layer)).__module__]
    return modelling.apply_rotary_pos_emb(heads, heads, *rope)[0]


def rotate_patches(layer: Any, heads: Tensor, rope: Rope | None) -> Tensor:
    """Rotate queries or keys [B, H, R, head width] of a tower's layer by rope: (cos, sin), each [B, R, head width]."""
    if rope is None:
        return heads
    modelling = sys.modules[type(attention_of(layer)).__module__]
    rows = heads.transpose(1, 2)
    return modelling.apply_rotary_pos_emb_vision(rows, rows, *rope)[0].transpose(1, 2)


def _rotates(attention: Any) -> bool:
    """Whether an attention rotates at all: the full layers of Cohere 2 do not."""
    return type(attention).__name__ != "Cohere2Attention" or attention.sliding_window is not None


def softcap(layer: Any) -> float | None:
    """The bound that logits are bent towards before the softmax (Gemma 2), None: none."""
    return getattr(attention_of(layer), "attn_logit_softcapping", None)


def scaling(layer: Any) -> float:
    """The factor on the dot products of queries and keys."""
    attention = attention_of(layer)
    return float(getattr(attention, "scaling", None) or attention.scale)


def attention_of(layer: Any) -> Any:
    """A layer's attention; None where it has none by a known name."""
    return _named(layer, ("self_attn", "attention", "attn"))


def heads_of(layer: Any) -> int:
    """How many heads ask."""
    attention = attention_of(layer)
    projected = attention.qkv.out_features // 3 if hasattr(attention, "qkv") else attention.q_proj.out_features
    return int(projected) // int(attention.head_dim)


def out_projection(layer: Any) -> Any:
    """The linear map behind a layer's attention."""
    return _named(attention_of(layer), ("o_proj", "out_proj", "projection_layer", "proj"))


def before_attention(layer: Any) -> Any:
    """The norm in front of a layer's attention."""
    return _named(layer, ("input_layernorm", "layer_norm1", "layernorm_before", "norm1"))


def after_attention(layer: Any, out: Tensor) -> Tensor:
    """What a layer's attention adds to its rows: normed first where the MLP has a norm of its own in front (Gemma)."""
    out = layer.post_attention_layernorm(out) if hasattr(layer, "pre_feedforward_layernorm") else out
    return _scaled(layer, 1, out)


def after_mlp(layer: Any, out: Tensor) -> Tensor:
    """What a layer's MLP adds to its rows."""
    out = layer.post_feedforward_layernorm(out) if hasattr(layer, "post_feedforward_layernorm") else out
    return _scaled(layer, 2, out)


def before_mlp(layer: Any) -> Any:
    """The norm in front of a layer's MLP."""
    names = ("pre_feedforward_layernorm", "post_attention_layernorm", "layer_norm2", "layernorm_after", "norm2")
    return _named(layer, names)


def _scaled(layer: Any, half: int, out: Tensor) -> Tensor:
    """What a half gives, scaled (DINOv2, InternVL), and dropped in training where the layer does so (ViT)."""
    factor = getattr(layer, f"lambda_{half}", None)
    out = out if factor is None else factor * out
    for name in (f"layer_scale{half}", "dropout", "drop_path"):
        change = getattr(layer, name, None)
        out = change(out) if isinstance(change, nn.Module) else out
    return out


def _named(owner: Any, names: tuple[str, ...]) -> Any:
    return next((getattr(owner, name) for name in names if hasattr(owner, name)), None)
