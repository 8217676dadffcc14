"""A bias on keys, learned: the mask of relaxed layers.

An additive mask that wants a gradient keeps scaled_dot_product_attention from its fused kernels and costs a matrix of
rows by keys for each head. The same number can ride in the keys: queries get one more feature, of one, and keys the
bias over the scale. Whatever kernel runs then, its gradient comes with that of the keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from eosdsl.lowering.masks import refuse_bias


class KeyBias:
    """Stands for an attention mask where sdpa attention is called with it: `base` (None, or bool [B, 1, L, T]; causal
    where it is None and `causal` says so) and `bias` [B, T] added to the logits of the keys.
    """

    def __init__(self, base: Tensor | None, bias: Tensor, *, causal: bool) -> None:
        self.base = base
        self.bias = bias
        self.causal = causal

    @classmethod
    def __torch_function__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is not torch.nn.functional.scaled_dot_product_attention:
            return NotImplemented
        return _attend(*args, **(kwargs or {}))


def _attend(
    query: Tensor, key: Tensor, value: Tensor, attn_mask: KeyBias, scale: float | None = None, **kwargs: Any
) -> Tensor:
    """query [B, H, L, d], key and value [B, H, T, d] → [B, H, L, d]."""
    width = query.shape[-1]
    scale = float(width**-0.5) if scale is None else scale
    extra = 8 if query.is_cuda else 1  # fused kernels of GPUs take multiples of eight
    bias = (attn_mask.bias / scale).to(key.dtype)[:, None, :, None].expand(*key.shape[:3], 1)
    ones = query.new_ones((*query.shape[:3], 1))
    query = torch.nn.functional.pad(torch.cat([query, ones], dim=-1), (0, extra - 1))
    key = torch.nn.functional.pad(torch.cat([key, bias], dim=-1), (0, extra - 1))
    value = torch.nn.functional.pad(value, (0, extra))
    base = attn_mask.base
    kwargs["is_causal"] = base is None and attn_mask.causal
    out = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=base, scale=scale, **kwargs)
    return out[..., :width]


def biased_masks(config: Any, base: Any, bias: Tensor, dtype: torch.dtype, *, causal: bool) -> object:
    """As `biased_mask`; where layers differ in kind, one for each kind in `base`."""
    if isinstance(base, Mapping):
        kinds: Mapping[str, Any] = base
        return {kind: biased_mask(config, one, bias, dtype, causal=causal) for kind, one in kinds.items()}
    return biased_mask(config, base, bias, dtype, causal=causal)


def biased_mask(config: Any, base: Any, bias: Tensor, dtype: torch.dtype, *, causal: bool) -> object:
    """The mask that layers are called with: `base` as they were called with, and bias [B, T] on keys.

    Raises:
        SpecError: E0439 where the attention implementation takes no bias.
    """
    refuse_bias(config)
    if config._attn_implementation == "sdpa":
        return KeyBias(base, bias, causal=causal)
    added = bias[:, None, None, :].to(dtype)
    return added if base is None else torch.where(base < 0, base, added)
