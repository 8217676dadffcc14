"""Where a row stands after a step: the `positions:` policy, for one-dimensional and M-RoPE position ids."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import torch

from eosdsl.operators.tensors import take_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Reduction

Positions = Literal["keep", "compact", "mean", "median"]


def row_positions(policy: Positions, reduction: Reduction, positions: Tensor) -> Tensor:
    """Positions [G, K] (or [G, K, C]), int64, of the rows of a reduction, from the tokens' [G, N] (or [G, N, C]).

    keep: the anchor's; mean, median: of the rows that went into it (W > 0), halves rounded up; a row without an anchor
    always takes the mean of its members. compact renumbers the whole sequence, which only its owner can do: here it
    is keep.
    """
    if positions.dim() == 3:
        return torch.stack([row_positions(policy, reduction, one) for one in positions.unbind(2)], dim=2)
    if policy in ("keep", "compact"):
        return take_rows(positions, reduction.anchors)
    members = reduction.weights > 0
    return _mean(members, positions) if policy == "mean" else _median(members, positions)


def _mean(members: Tensor, positions: Tensor) -> Tensor:
    """⌊(2 Σ + n) / 2n⌋ is the mean with halves rounded up, in whole numbers."""
    total = (members * positions[:, None, :]).sum(dim=2)
    number = members.sum(dim=2).clamp(min=1)
    return (2 * total + number).div(2 * number, rounding_mode="floor")


def _median(members: Tensor, positions: Tensor) -> Tensor:
    """The middle of the members' positions; of an even number the mean of the middle two, halves rounded up."""
    last = torch.iinfo(positions.dtype).max
    ordered = torch.where(members, positions[:, None, :], last).sort(dim=2).values
    number = members.sum(dim=2, keepdim=True).clamp(min=1)
    low = ordered.gather(2, (number - 1) // 2).squeeze(2)
    high = ordered.gather(2, number // 2).squeeze(2)
    return (low + high + 1).div(2, rounding_mode="floor")
