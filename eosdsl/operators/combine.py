"""How rows are put together: Y_i = a_i x_i + Σ_j B_ij x_j, from who takes in what (A) and what a row weighs (w).

    average      (w_i x_i + Σ A w_j x_j) / (w_i + Σ A w_j)
    add_mean     x_i + Σ A w_j x_j / Σ A w_j            (VisionZip, arXiv 2412.04467)
    add_sum      x_i + Σ A w_j x_j                      (PruMerge, arXiv 2403.15388)
    sequential   y ← y + A_ij (x_j - y) / 2, one by one in order of position   (HoliTom, arXiv 2505.21334)

Shapes: a [G, K], B [G, K, N], A [G, K, N], w_i `anchor` [G, K], w_j `other` [G, N], all float32.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from eosdsl.operators.tensors import take_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Combine, Tokens, Weight


@dataclass(frozen=True)
class RowWeights:
    """w of every token [G, N] under `weight`, and the rule that goes with it (`sum` adds up undivided)."""

    every: Tensor
    combine: Combine


def row_weights(tokens: Tokens, weight: Weight, combine: Combine) -> RowWeights:
    """size: tokens a row stands for; mean, sum: all alike; score: the group's scores, negative ones as zero."""
    if weight == "size":
        return RowWeights(tokens.sizes.float(), combine)
    if weight == "score":
        assert tokens.scores is not None, "a group weighed by score evaluates its scores"
        return RowWeights(tokens.scores.float().clamp(min=0), combine)
    return RowWeights(torch.ones_like(tokens.sizes, dtype=torch.float32), "add_sum" if weight == "sum" else combine)


def dense(taken: Tensor, weights: RowWeights, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """(a, B) for any A `taken`."""
    if weights.combine == "sequential":
        return _sequential(taken)
    anchor = take_rows(weights.every, anchors)
    mass = taken * weights.every[:, None, :]
    received = mass.sum(dim=2)
    kept, divisor = _shares(anchor, received, weights.combine)
    return kept, mass / divisor[:, :, None]


def sharp(target: Tensor, weights: RowWeights, anchors: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b [G, N]) where token j goes whole to anchor slot target[j], or to none (K): B_target(j),j = b_j."""
    slots = anchors.shape[1]
    anchor = take_rows(weights.every, anchors)
    received = anchor.new_zeros((anchor.shape[0], slots + 1)).scatter_add(1, target, weights.every)[:, :slots]
    kept, divisor = _shares(anchor, received, weights.combine)
    share = weights.every / divisor.gather(1, target.clamp(max=slots - 1))
    return kept, share.masked_fill(target == slots, 0.0)


def _shares(anchor: Tensor, received: Tensor, combine: Combine) -> tuple[Tensor, Tensor]:
    """a [G, K], and what the members' weights are divided by [G, K]."""
    one = torch.ones_like(anchor)
    if combine == "add_sum":
        return one, one
    if combine == "add_mean":
        return one, torch.where(received > 0, received, one)
    total = anchor + received
    empty = total <= 0
    return torch.where(empty, one, anchor / total.masked_fill(empty, 1.0)), total.masked_fill(empty, 1.0)


def _sequential(taken: Tensor) -> tuple[Tensor, Tensor]:
    """Halving one by one: member t keeps A_t/2 times what all later ones leave of it, the anchor what all leave."""
    left = 1.0 - taken / 2
    later = left.flip(2).cumprod(dim=2).flip(2)
    after = torch.cat([later[:, :, 1:], torch.ones_like(later[:, :, :1])], dim=2)
    return later[:, :, 0], taken / 2 * after
