"""Attention masks of a segment, made by transformers in whatever format the attention implementation takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from transformers.masking_utils import create_causal_mask, create_sliding_window_causal_mask

from eosdsl.lowering.attending import FULL, SLIDING, Attending, Numbered, Overlay, blocks_of, overlay
from eosdsl.lowering.cache_name import CACHE
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.stream import Stream

BIASABLE = ("eager", "sdpa")

READY = "eosdsl_first_segment"
"""The key under which `generate` hands on the mask of the layers in front of the first reduction, made ahead; where
layers of several kinds have masks of their own, these stand beside it by kind.
"""


def made_ahead(mask: Mapping[str, Any]) -> Any:
    """The mask, or the masks by kind, that `generate` made ahead."""
    by_kind = {kind: one for kind, one in mask.items() if kind != READY}
    return by_kind or mask[READY]


def masks_for_generate(make: Callable[..., Any], first_site: int, attending: Attending) -> Callable[..., Any]:
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
        if isinstance(mask, dict):
            return {READY: None, **mask} if attending.by_kind else {READY: next(iter(mask.values()))}
        return {READY: mask}

    return made


def entering_mask(
    attending: Attending, config: Any, hidden: Tensor, given: Any, cache: Any, position_ids: Tensor | None
) -> object:
    """The mask of the layers in front of the first reduction, as transformers would make it: one, or one a kind.

    given: what the language model was called with, a 2-D mask, None, or what the vision-language model has made of it.
    """
    kinds = dict.fromkeys(attending.kinds or (FULL,))
    if isinstance(given, Mapping):
        return given if attending.by_kind else given[next(iter(kinds))]
    masks = {
        kind: (create_sliding_window_causal_mask if kind == SLIDING else create_causal_mask)(
            config=config,
            inputs_embeds=hidden,
            attention_mask=given,
            **{CACHE: cache},
            position_ids=position_ids,
        )
        for kind in kinds
    }
    return masks if attending.by_kind else next(iter(masks.values()))


def image_masks(attending: Attending, config: Any, hidden: Tensor, token_type_ids: Tensor | None) -> dict[str, Tensor]:
    """By kind of layer, the masks of prompts whose images see themselves, without padding and without a cache: as
    transformers makes them, in operations that can be exported.
    """
    causal: Any = create_causal_mask(
        config=config, inputs_embeds=hidden, attention_mask=None, **{CACHE: None}, allow_is_causal_skip=False
    )
    blocks = blocks_of(attending, token_type_ids)
    places = torch.arange(hidden.shape[1], device=hidden.device).expand(hidden.shape[:2])
    windows = {kind: attending.window_of(layer) for layer, kind in enumerate(attending.kinds)}
    return {
        kind: Overlay(blocks, None if window is None else places, window, attending.window_first).laid_over(causal)
        for kind, window in windows.items()
    }


def segment_mask(
    attending: Attending,
    config: Any,
    stream: Stream,
    keep: Tensor | None,
    bias: Tensor | None,
    cache: Any,
    first: int,
    layer: int,
) -> object:
    """The mask for layers of the kind of `layer`, in a segment that holds other rows than layer 0 does.

    keep [B, T] bool and bias [B, T] float32 over past and new keys, or None; `first` is the cache layer that says how
    many keys are held. Position ids are kept from transformers on purpose: without a cache it would take the gaps that
    pruning leaves in them for borders between packed sequences.
    """
    hidden = stream.hidden
    rows = hidden.shape[1]
    keys, offset = (rows, 0) if cache is None else cache.get_mask_sizes(rows, first)
    static = getattr(cache, "is_compileable", False)
    over = Overlay()
    if not attending.plain:
        before = stream.earlier if static else keys - rows + offset
        numbered = Numbered(offset, before, offset + keys)
        over = overlay(attending, layer, stream, numbered, keys + offset + stream.removed)
    if rows == 1 and keep is None and bias is None and over.empty and not static:
        return None  # decoding: the one row sees all that there is, where no slot is empty
    by_hand = torch.compiler.is_exporting() and not over.empty  # prompts that are all alike, and no cache
    mask: Any = create_causal_mask(
        config=config,
        inputs_embeds=hidden,
        attention_mask=None if keep is None else F.pad(keep, (offset, 0)),
        **{CACHE: cache},
        layer_idx=first,
        # `keep` is None unless some row is padding: asking whether a mask is needed would only wait for the device
        allow_is_causal_skip=keep is None and bias is None and not by_hand,
        **({} if by_hand else over.arguments()),
    )
    if by_hand:
        mask = over.laid_over(mask)
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


def refuse_windows(config: Any) -> None:
    """Raise SpecError (E0448) where the attention implementation counts a window in rows, whatever mask it is given."""
    implementation = config._attn_implementation
    if implementation not in (*BIASABLE, "flex_attention"):
        refuse(
            "E0448",
            f"{implementation} attention counts sliding windows in rows, and rows leave the sequence",
            'use attn_implementation="sdpa"',
        )
