"""Attention masks of a segment, made by transformers in whatever format the attention implementation takes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.masking_utils import create_causal_mask

from eosdsl.lowering.refusals import refuse

BIASABLE = ("eager", "sdpa")

READY = "eosdsl_first_segment"
"""The key under which `generate` hands on the mask of the layers in front of the first reduction, made ahead."""


def masks_for_generate(make: Callable[..., Any], first_site: int) -> Callable[..., Any]:
    """What `generate` makes masks with where the cache is static, in place of `make`.

    A prompt comes with its 2-D mask, from which every segment makes its own. For a step of decoding the mask of the
    first segment is made ahead: the 2-D mask grows, and what is compiled must not. The layers behind it have theirs
    from the state of their cache, whose shape stays, within the compiled step.
    """

    @wraps(make)
    def made(config: Any, inputs_embeds: Tensor, attention_mask: Any, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("is_first_iteration") or inputs_embeds.shape[1] > 1:
            return attention_mask
        if first_site == 0:
            return {READY: None}
        mask = make(config, inputs_embeds, attention_mask, *args, **kwargs)
        return {READY: next(iter(mask.values())) if isinstance(mask, dict) else mask}

    return made


def segment_mask(
    config: Any, hidden: Tensor, keep: Tensor | None, bias: Tensor | None, cache: Any, layer: int
) -> object:
    """The mask for layers that hold other rows than layer 0 does.

    hidden [B, L, D]; keep [B, T] bool and bias [B, T] float32 over past and new keys, or None; `layer` is the cache
    layer that says how many keys are held. Position ids are kept from transformers on purpose: without a cache it
    would take the gaps that pruning leaves in them for borders between packed sequences.
    """
    if hidden.shape[1] == 1 and keep is None and bias is None and not getattr(cache, "is_compileable", False):
        return None  # decoding: the one row sees all that there is, where no slot is empty
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
