"""Anchors take copies of what is near them."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Borrow(Absorbing):
    """Every anchor takes in a whole copy of every token it may: of other anchors, and of those that others take too.

    Nothing is shared out, so sizes add up to more than there was. PruMerge (arXiv 2403.15388) is
    `borrow(similarity: cosine(keys), within: nearest(32), weight: score, combine: add_sum)`.
    """

    name: ClassVar[str] = "borrow"
    copies: ClassVar[bool] = True

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        return (affinity > -torch.inf).to(affinity.dtype)
