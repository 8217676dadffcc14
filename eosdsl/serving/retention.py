"""The two functions that a serving engine asks for, of one step: how many embeddings stay, and which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from eosdsl.operators.counts import group_counts
from eosdsl.operators.step import apply_step, step_groups


def retained(step: str, tokens: int, grid: tuple[int, int] | None = None) -> int:
    """Embeddings left of `tokens`, known before any is made. grid: rows and columns, None for a video."""
    counts = group_counts(step_groups(step), tokens, tokens, grid)
    return min(tokens, sum(count for count in counts if count is not None))


def retention_mask(step: str, embeds: Tensor, size_thw: Sequence[Any] | Tensor, merge: int) -> Tensor:
    """Which of the embeddings [N, D] of an image or video stay: [N] bool on their device, `retained` of them true.

    size_thw: frames, rows and columns of patches; `merge` by `merge` of them are one embedding.
    """
    frames, rows, columns = (int(one) for one in size_thw)
    grid = (rows // merge, columns // merge)
    tokens = frames * grid[0] * grid[1]
    if embeds.shape[0] != tokens:
        raise ValueError(f"{embeds.shape[0]} embeddings for {frames} frames of {grid[0]} by {grid[1]}")
    frame = torch.arange(tokens, device=embeds.device) // (grid[0] * grid[1])
    whole = grid if frames == 1 else None
    reduction = apply_step(step, embeds[None], grid=whole, frame=frame[None])
    mask = torch.zeros(tokens, dtype=torch.bool, device=embeds.device)
    return mask.index_fill(0, reduction.anchors[0], True)


def retained_positions(policy: str, mask: Tensor) -> Tensor:
    """Positions of the rows that stay, counted from the first embedding of the unreduced image: `keep` leaves them
    where they were, `compact` closes the gaps.
    """
    places = mask.nonzero()[:, 0]
    return places if policy == "keep" else torch.arange(len(places), device=mask.device)
