"""Attention for packs: a visual block shared by many questions that do not see each other.

The sequence is V shared tokens, then Q questions of L tokens. Attending block by block costs what the blocks cost,
instead of a (V + QL)^2 mask of which most is forbidden.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface
from transformers.masking_utils import AttentionMaskInterface

NAME = "eos_packed"


def packed_attention(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    packed: tuple[int, int, int] | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention of `packed` = (V, Q, L): query, key and value [B, H, V + QL, D]; result [B, V + QL, H, D].

    Shared tokens see earlier shared tokens; a question's token sees all shared tokens and its own earlier ones.
    """
    assert packed is not None, "a model with packed attention is called with packed=(V, Q, L)"
    shared, questions, length = packed
    batch, heads, _, width = query.shape
    scale = width**-0.5 if scaling is None else scaling
    head = nn.functional.scaled_dot_product_attention(
        query[:, :, :shared], key[:, :, :shared], value[:, :, :shared], is_causal=True, scale=scale
    )
    own_q, own_k, own_v = (
        x[:, :, shared:].reshape(batch, heads, questions, length, width) for x in (query * scale, key, value)
    )
    to_shared = query[:, :, shared:] * scale @ key[:, :, :shared].transpose(2, 3)
    to_own = own_q @ own_k.transpose(3, 4)
    later = torch.ones(length, length, dtype=torch.bool, device=query.device).triu(1)
    to_own = to_own.masked_fill(later, float("-inf")).reshape(batch, heads, questions * length, length)
    weights = torch.cat([to_shared, to_own], dim=-1).softmax(dim=-1)
    from_own = weights[..., shared:].reshape(batch, heads, questions, length, length) @ own_v
    tail = weights[..., :shared] @ value[:, :, :shared] + from_own.reshape(batch, heads, questions * length, width)
    return torch.cat([head, tail], dim=2).transpose(1, 2).contiguous(), None


def _no_mask(*args: Any, **kwargs: Any) -> None:
    """The blocks are the mask."""
    return


def register() -> None:
    """Make `attn_implementation="eos_packed"` known to transformers."""
    AttentionInterface.register(NAME, packed_attention)
    AttentionMaskInterface.register(NAME, _no_mask)
