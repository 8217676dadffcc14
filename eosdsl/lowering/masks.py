"""Attention masks of a segment, made by transformers in whatever format the attention implementation takes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.masking_utils import create_causal_mask

from eosdsl.lowering.refusals import refuse

BIASABLE = ("eager", "sdpa")


def segment_mask(
    config: Any, hidden: Tensor, keep: Tensor | None, bias: Tensor | None, cache: Any, layer: int
) -> object:
    """The mask for layers that hold other rows than layer 0 does.

    hidden [B, L, D]; keep [B, T] bool and bias [B, T] float32 over past and new keys, or None; `layer` is the cache
    layer that says how many keys are held. Position ids are kept from transformers on purpose: without a cache it
    would take the gaps that pruning leaves in them for borders between packed sequences.
    """
    if hidden.shape[1] == 1 and keep is None and bias is None:
        return None  # decoding: the one row sees all that there is
    offset = 0 if cache is None else cache.get_mask_sizes(hidden.shape[1], layer)[1]
    mask = create_causal_mask(
        config=config,
        inputs_embeds=hidden,
        attention_mask=None if keep is None else F.pad(keep, (offset, 0)),
        past_key_values=cache,
        layer_idx=layer,
        # `keep` is None unless some row is padding: asking whether a mask is needed would only wait for the device
        allow_is_causal_skip=keep is None and bias is None,
    )
    return mask if bias is None else _biased(config, mask, bias, hidden.dtype)


def bias_mask(config: Any, hidden: Tensor, keep: Tensor | None, bias: Tensor | None) -> Tensor | None:
    """The mask for layers in which every row attends to all others (those kept): [B, 1, 1, T] added to logits.

    None where there is nothing to add.
    """
    if keep is None and bias is None:
        return None
    refuse_bias(config)
    added = torch.zeros(hidden.shape[:2], device=hidden.device) if bias is None else bias
    if keep is not None:
        added = added.masked_fill(~keep, torch.finfo(hidden.dtype).min)
    return added.to(hidden.dtype)[:, None, None, :]


def _biased(config: Any, mask: Any, bias: Tensor, dtype: torch.dtype) -> Tensor:
    refuse_bias(config)
    least = torch.finfo(dtype).min
    added = bias[:, None, None, :].to(dtype)
    if mask.dtype == torch.bool:
        return torch.where(mask, added, least)
    return torch.where(mask < 0, mask, added)


def refuse_bias(config: Any) -> None:
    """Raise SpecError (E0439) where the attention implementation takes no additive mask."""
    implementation = config._attn_implementation
    if implementation not in BIASABLE:
        refuse(
            "E0439", f"attention_bias does not work with {implementation} attention", 'use attn_implementation="sdpa"'
        )
