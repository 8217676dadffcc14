"""Layers in two halves, for sites between attention and MLP, and layers that hand out the keys they made.

A layer is `h + attention(norm(h))`, then `h + mlp(norm(h))`: of these classes that is known, of others it is not
assumed. The second half is called through the layer itself, so that hooks on it (those that collect hidden states)
see the layer's input and output as ever.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from torch import Tensor, nn

from eosdsl.lowering.projections import (
    after_attention,
    after_mlp,
    attention_of,
    before_attention,
    before_mlp,
    out_projection,
    project_normed,
    scaling,
)
from eosdsl.lowering.refusals import refuse

KNOWN = {
    "CLIPEncoderLayer",
    "Dinov2Layer",
    "Dinov2WithRegistersLayer",
    "Gemma2DecoderLayer",
    "Gemma3DecoderLayer",
    "GemmaDecoderLayer",
    "Idefics3EncoderLayer",
    "InternVLVisionLayer",
    "LlamaDecoderLayer",
    "MistralDecoderLayer",
    "Qwen2DecoderLayer",
    "Qwen3DecoderLayer",
    "Qwen2VLDecoderLayer",
    "Qwen2VLVisionBlock",
    "Qwen2_5_VLDecoderLayer",
    "Qwen2_5_VLVisionBlock",
    "Qwen3VLTextDecoderLayer",
    "Qwen3VLVisionBlock",
    "SiglipEncoderLayer",
    "SmolVLMEncoderLayer",
    "ViTLayer",
}
MIDDLE = "eosdsl_middle"
"""The keyword by which a layer that is `divisible` is told to go on from its middle."""


class Kept(NamedTuple):
    """What the attention half of a tower layer hands out: hidden [B, L, D], keys and values [B, H, L, head width]."""

    hidden: Tensor
    keys: Tensor
    values: Tensor


class AttentionHalf(nn.Module):
    """hidden → hidden + attention(norm(hidden)), the attention called as the layer calls it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        refuse_unknown(layer)
        self.layer: Any = layer

    def forward(self, hidden: Tensor, attention_mask: Any = None, **arguments: Any) -> Tensor:
        arguments = {"attention_mask": attention_mask, **arguments}
        normed = before_attention(self.layer)(hidden)
        out = attention_of(self.layer)(hidden_states=normed, **arguments)[0]
        added = after_attention(self.layer, out)
        return hidden.to(added.device) + added


class KeptAttention(nn.Module):
    """The attention half of a layer without rotation or cache, written out so that its keys need not be made twice."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        refuse_unknown(layer)
        self.layer: Any = layer

    def forward(self, hidden: Tensor, attention_mask: Any) -> Kept:
        attention = attention_of(self.layer)
        normed = before_attention(self.layer)(hidden)
        queries, keys, values = (
            project_normed(self.layer, normed, which).to(hidden.device) for which in ("q", "k", "v")
        )
        mixed = attention_function(attention)(
            attention, queries, keys, values, attention_mask, scaling=scaling(self.layer), dropout=0.0
        )[0]
        out = out_projection(self.layer)(mixed.reshape(*hidden.shape[:-1], -1).contiguous())
        added = after_attention(self.layer, out)
        return Kept(hidden.to(added.device) + added, keys, values)


class MlpHalf(nn.Module):
    """The second half: middle → middle + mlp(norm(middle)), called through the layer whose input was `entered`."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer: Any = layer

    def forward(self, entered: Tensor, middle: Tensor) -> Tensor:
        return self.layer(entered, None, **{MIDDLE: middle})


def divisible(layer: Any, forward: Callable[..., Any]) -> Callable[..., Any]:
    """The layer's forward, able to go on from the middle; to be put on the instance of a layer that is split."""

    @wraps(forward)
    def from_anywhere(*args: Any, **kwargs: Any) -> Any:
        middle = kwargs.pop(MIDDLE, None)
        if middle is None:
            return forward(*args, **kwargs)
        return middle + after_mlp(layer, layer.mlp(before_mlp(layer)(middle)))

    return from_anywhere


def refuse_unknown(layer: nn.Module) -> None:
    """Raise SpecError (E0438) for a layer that is not known to be made of two such halves."""
    if type(layer).__name__ not in KNOWN:
        refuse("E0438", f"{type(layer).__name__} cannot be split between attention and MLP")


def attention_function(attention: Any) -> Callable[..., Any]:
    """The attention function that the layer's own attention would call."""
    modelling = sys.modules[type(attention).__module__]
    chosen = attention.config._attn_implementation
    return modelling.ALL_ATTENTION_FUNCTIONS.get_interface(chosen, modelling.eager_attention_forward)
