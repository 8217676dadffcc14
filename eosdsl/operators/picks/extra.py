"""Rows of their own, without an anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Extra(Pick):
    """A row that stands for no token of its own: it starts empty and is what it takes in. Reads no score.

    `and retain 1 token pick extra via merge(weight: mean)` adds the mean of what the other groups gave up, as TRIM
    does (arXiv 2409.10994); with `merge(weight: score, combine: add_sum)` it is EViT's fused token (arXiv 2202.07800).
    Its position is the mean of its members, its anchor -1.
    """

    name: ClassVar[str] = "extra"
    anchored: ClassVar[bool] = False

    @property
    def uses_score(self) -> bool:
        return False

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        return torch.full((free.shape[0], most), -1, dtype=torch.int64, device=free.device)
