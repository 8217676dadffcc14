"""Positions of rows, of one axis or of three (M-RoPE: frame, row and column of the image, arXiv 2409.12191).

Inside, positions are [1 or B, L] or [1 or B, L, 3], so that whatever moves rows moves them alike. transformers puts the
axes first, and sometimes a fourth in front of them, of the rows counted as text: that one is for masks alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn


def incoming(position_ids: Tensor) -> tuple[Tensor, Tensor | None]:
    """Positions as they are kept here, and what a mask may be made of, from `position_ids` as a forward gets them.

    position_ids: [1 or B, L], or [3, B, L], or [4, B, L] with the text's first. Masks are never made of three axes.
    """
    if position_ids.ndim == 2:
        return position_ids, position_ids
    text = position_ids[0] if position_ids.shape[0] == 4 else None
    return position_ids[-3:].movedim(0, -1), text


def rotation(rotary: nn.Module, hidden: Tensor, positions: Tensor) -> tuple[Tensor, Tensor]:
    """Rotary embeddings (cos, sin), each [1 or B, L, head width], of rows at these positions."""
    rope: Any = rotary
    axes_first = positions.movedim(-1, 0) if positions.ndim == 3 else positions
    if positions.ndim == 2 and hasattr(rotary, "mrope_section"):
        axes_first = positions.expand(3, *positions.shape)  # some versions do so themselves, 5.18 does not
    cos, sin = rope(hidden, position_ids=axes_first)
    return cos, sin


def expanded(positions: Tensor, batch: int) -> Tensor:
    """Positions of every sequence, [B, L] or [B, L, 3]."""
    return positions.expand(batch, *positions.shape[1:])


def gathered(positions: Tensor, rows: Tensor) -> Tensor:
    """The positions at `rows` [B, K] of positions [1 or B, L] or [1 or B, L, 3]."""
    every = expanded(positions, rows.shape[0])
    return every.gather(1, rows if every.ndim == 2 else rows[:, :, None].expand(-1, -1, every.shape[2]))


def on_axes(position: Tensor, like: Tensor) -> Tensor:
    """Positions [1 or B, L] that hold on every axis, with as many axes as `like` has."""
    return position if like.ndim == 2 else position[:, :, None].expand(-1, -1, like.shape[2])


def grids(positions: Tensor, batch: Tensor, rows: Tensor, counts: Sequence[int]) -> tuple[tuple[int, int] | None, ...]:
    """Rows and columns of images whose tokens stand at `rows` [G, N] of sequences `batch` [G], counts[g] of them.

    positions [1 or B, L, 3]. None for a video, and wherever tokens do not fill a rectangle. Costs a transfer.
    """
    own = batch if positions.shape[0] > 1 else torch.zeros_like(batch)
    found: list[tuple[int, int] | None] = []
    for placed, count in zip(positions[own[:, None], rows].cpu(), counts, strict=True):
        frames, down, across = (len(axis.unique()) for axis in placed[:count].unbind(1))
        found.append((down, across) if frames == 1 and down * across == count else None)
    return tuple(found)


def reached(positions: Tensor) -> Tensor:
    """The position behind which the next row will stand, [1 or B, 1]: the last row's, or the highest of any axis."""
    return positions[:, -1:] if positions.ndim == 2 else positions.amax(dim=(1, 2))[:, None]
