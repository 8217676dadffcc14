"""Visual features that a decoder adds to its visual rows again, behind each of its first layers (DeepStack, arXiv
2406.04334).

They go with the rows they belong to: a row that is given up takes its own along, and a row that takes others in takes
in theirs by the same weights, because adding and weighting may change places: W (x + f) = W x + W f.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from eosdsl.lowering.devices import on
from eosdsl.operators.base import Reduction
from eosdsl.operators.tensors import take_rows, working

if TYPE_CHECKING:
    from eosdsl.lowering.images import Images


@dataclass(frozen=True)
class Late:
    """Where they are added: sequences `batch` [G, 1] and rows [G, N], of which valid [G, N] exist (None: all).

    features: [G, N, D] for each of the first layers.
    """

    batch: Tensor
    rows: Tensor
    valid: Tensor | None
    features: tuple[Tensor, ...]


class AddLate(nn.Module):
    """What follows a layer: its features are added to the visual rows, if a forward brings any."""

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def extra_repr(self) -> str:
        return f"layer={self.index}"

    def forward(self, hidden: Tensor, late: Late | None) -> Tensor:
        """hidden [B, L, D] → [B, L, D]."""
        if late is None:
            return hidden
        if late.rows.device != hidden.device:
            late = on(late, hidden.device)
        sums = hidden[late.batch, late.rows] + late.features[self.index].to(hidden.dtype)
        if late.valid is None:
            return hidden.index_put((late.batch, late.rows), sums)
        spare = torch.cat([hidden, hidden[:, :1]], dim=1)
        rows = late.rows.where(late.valid, hidden.shape[1])
        return spare.index_put((late.batch, rows), sums)[:, :-1]


def all_rows(visual: Tensor | None, features: Sequence[Tensor] | None) -> Late | None:
    """What transformers hands on, for a sequence that stays whole: visual [B, L] bool, features [V, D] a layer."""
    if visual is None or not features:
        return None
    batch, rows = visual.nonzero(as_tuple=True)
    return on(Late(batch[None], rows[None], None, tuple(one[None] for one in features)), visual.device)


def by_image(images: Images, visual: Tensor | None, features: Sequence[Tensor] | None) -> tuple[Tensor, ...]:
    """The same features [V, D] image by image, [G, N, D]."""
    if visual is None or not features:
        return ()
    visual = visual.to(images.rows.device)
    place = (visual.flatten().cumsum(0) - 1).view(visual.shape)[images.batch[:, None], images.rows]
    return tuple(one.to(place.device)[place] for one in features)


def reduced(features: Sequence[Tensor], reduction: Reduction, *, rewrites: bool) -> tuple[Tensor, ...]:
    """The features [G, K, D] of the rows that a reduction leaves, from those of its tokens [G, N, D]."""
    if not features:
        return ()
    if not rewrites:
        return tuple(take_rows(one, reduction.anchors) for one in features)
    weights = reduction.weights
    return tuple((weights @ working(one).to(weights.dtype)).to(one.dtype) for one in features)
