"""How rows are put together: Y_i = a_i x_i + Σ_j B_ij x_j, from who takes in what (A) and what a row weighs (w).

    average      (w_i x_i + Σ A w_j x_j) / (w_i + Σ A w_j)
    add_mean     x_i + Σ A w_j x_j / Σ A w_j            (VisionZip, arXiv 2412.04467)
    add_sum      x_i + Σ A w_j x_j                      (PruMerge, arXiv 2403.15388)
    sequential   y ← y + A_ij (x_j - y) / 2, one by one in order of position   (HoliTom, arXiv 2505.21334)

Shapes: a [G, K], B and A [G, K, C], w_i `anchor` [G, K], w_j `column` [G, C], all float32. C are the columns that can
be taken in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from eosdsl.operators.tensors import at_rows, take_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Combine, Tokens, Weight


@dataclass(frozen=True)
class RowWeights:
    """What anchors [G, K] and columns [G, C] weigh; `there` [G, K] float32: zero for a row without an anchor."""

    anchor: Tensor
    column: Tensor
    there: Tensor
    combine: Combine


def row_weights(
    tokens: Tokens, weight: Weight, combine: Combine, anchors: Tensor, columns: Tensor | None
) -> RowWeights:
    """size: tokens a row stands for; mean, sum: all alike; score: the group's scores, negative ones as zero.

    `sum` adds members up undivided.
    """
    every = torch.ones_like(tokens.sizes, dtype=torch.float32)
    if weight == "size":
        every = tokens.sizes.float()
    if weight == "score":
        assert tokens.scores is not None, "a group weighed by score evaluates its scores"
        every = tokens.scores.float().clamp(min=0)
    there = (anchors >= 0).float()
    return RowWeights(
        take_rows(every, anchors) * there, at_rows(every, columns), there, "add_sum" if weight == "sum" else combine
    )


def dense(taken: Tensor, weights: RowWeights) -> tuple[Tensor, Tensor]:
    """(a, B) for any A `taken`."""
    if weights.combine == "sequential":
        return _sequential(taken, weights.there)
    mass = taken * weights.column[:, None, :]
    own, divisor = shares(weights, mass.sum(dim=2))
    return own, mass / divisor[:, :, None]


def sharp(target: Tensor, weights: RowWeights) -> tuple[Tensor, Tensor]:
    """(a, b [G, C]) where token j goes whole to anchor slot target[j], or to none (K): B_target(j),j = b_j."""
    images, slots = weights.anchor.shape
    received = weights.anchor.new_zeros((images, slots + 1)).scatter_add(1, target, weights.column)[:, :slots]
    own, divisor = shares(weights, received)
    share = weights.column / torch.nn.functional.pad(divisor, (0, 1), value=1.0).gather(1, target)
    return own, share.masked_fill(target == slots, 0.0)


def shares(weights: RowWeights, received: Tensor) -> tuple[Tensor, Tensor]:
    """a [G, K], and what the members' weights are divided by [G, K], where members of weight `received` come in."""
    one = torch.ones_like(weights.anchor)
    if weights.combine == "add_sum":
        return weights.there, one
    if weights.combine == "add_mean":
        return weights.there, torch.where(received > 0, received, one)
    total = weights.anchor + received
    empty = total <= 0
    total = total.masked_fill(empty, 1.0)
    return torch.where(empty, weights.there, weights.anchor / total), total


def _sequential(taken: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """Halving one by one: member t keeps A_t/2 times what all later ones leave of it, the anchor what all leave."""
    later = torch.cat([1.0 - taken / 2, torch.ones_like(taken[:, :, :1])], dim=2).flip(2).cumprod(dim=2).flip(2)
    return later[:, :, 0] * there, taken / 2 * later[:, :, 1:]
