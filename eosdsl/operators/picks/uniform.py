"""Every so-manieth token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Uniform(Pick):
    """Every ⌊R/K⌋-th of the R tokens left, from the first: K of them, whatever they hold.

    VisionZip (arXiv 2412.04467) takes its contextual tokens so. Reads no score.
    """

    name: ClassVar[str] = "uniform"

    @property
    def uses_score(self) -> bool:
        return False

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        from eosdsl.operators.tensors import place_among, rows_where

        place = place_among(free)
        step = free.sum(dim=1).div(counts.clamp(min=1), rounding_mode="floor").clamp(min=1)[:, None]
        chosen = free & (place % step == 0) & (place.div(step, rounding_mode="floor") < counts[:, None])
        return rows_where(chosen, most)
