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
    frames, *grid = _grid(size_thw, merge)
    tokens = frames * grid[0] * grid[1]
    if embeds.shape[0] != tokens:
        raise ValueError(f"{embeds.shape[0]} embeddings for {frames} frames of {grid[0]} by {grid[1]}")
    frame = torch.arange(tokens, device=embeds.device) // (grid[0] * grid[1])
    whole = (grid[0], grid[1]) if frames == 1 else None
    reduction = apply_step(step, embeds[None], grid=whole, frame=frame[None])
    mask = torch.zeros(tokens, dtype=torch.bool, device=embeds.device)
    return mask.index_fill(0, reduction.anchors[0], True)


def retained_positions(policy: str, mask: Tensor) -> Tensor:
    """Positions [K] of the rows that stay, counted from the first embedding of the unreduced image.

    `compact` closes the gaps; with the others rows are where they were (one that takes none in is the mean of itself).
    """
    places = mask.nonzero()[:, 0]
    return torch.arange(len(places), device=mask.device) if policy == "compact" else places


def retained_grid_positions(
    policy: str, mask: Tensor, size_thw: Sequence[Any] | Tensor, merge: int, interval: float
) -> Tensor:
    """Positions [K, 3] by frame, row and column (M-RoPE), counted as in `retained_positions`; `compact` counts alike on
    all three axes.

    interval: positions between two frames of a video, rounded down once they are counted.
    """
    frames, rows, columns = _grid(size_thw, merge)
    if policy == "compact":
        return retained_positions(policy, mask)[:, None].expand(-1, 3)
    places = mask.nonzero()[:, 0]
    frame = (torch.arange(frames, device=mask.device) * interval).long()
    return torch.stack([frame[places // (rows * columns)], places // columns % rows, places % columns], dim=1)


def next_position(policy: str, mask: Tensor, size_thw: Sequence[Any] | Tensor | None, merge: int) -> int:
    """The position of the first row behind the image, counted as the others: where it would have been, or behind the
    rows that stay. size_thw: with positions by row and column; text behind those goes on from the longer side.
    """
    if policy == "compact":
        return int(mask.sum())
    return len(mask) if size_thw is None else max(_grid(size_thw, merge)[1:])


def _grid(size_thw: Sequence[Any] | Tensor, merge: int) -> tuple[int, int, int]:
    """Frames, rows and columns of embeddings."""
    frames, rows, columns = (int(one) for one in size_thw)
    return frames, rows // merge, columns // merge
