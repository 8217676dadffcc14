"""What runs between decoder layers besides the hidden state."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from eosdsl.lowering.images import Images, Queries


@dataclass(frozen=True)
class Stream:
    """B sequences of L rows, T keys that they may attend to (T = L where no cache holds earlier ones).

    hidden [B, L, D]. What the layers are called with: attention_mask in the format of the attention implementation,
    position_embeddings (cos, sin) each [1 or B, L, head width], position_ids. positions [1 or B, L] int64: the
    positions that position_embeddings were made of. valid [B, L] bool: rows that are not padding, None where all are.
    keys_valid [B, T] bool and keys_bias [B, T] float32 (added to the logits of a key): None where all count alike.
    images and queries are None in a forward that brings no image; lengths: rows that are not padding, per sequence.
    strength: of the bias by log size in force. removed: rows fewer than entered layer 0.
    tail: rows behind the last visual token, in every sequence.
    """

    hidden: Tensor
    attention_mask: object
    position_embeddings: tuple[Tensor, Tensor]
    position_ids: Tensor | None
    positions: Tensor
    valid: Tensor | None = None
    keys_valid: Tensor | None = None
    keys_bias: Tensor | None = None
    images: Images | None = None
    queries: Queries | None = None
    lengths: tuple[int, ...] = ()
    strength: float = 0.0
    removed: int = 0
    tail: int = 0
