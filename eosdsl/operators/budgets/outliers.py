"""As many as stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Budget, CostContext, Decision, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Outliers(Budget):
    """The number of scores above the third quartile by more than `iqr` interquartile ranges.

    PruMerge (arXiv 2403.15388). Quartiles are interpolated linearly between the scores of the image. An image without
    outliers keeps one token.
    """

    name: ClassVar[str] = "outliers"

    iqr: float = Field(default=1.5, ge=0, description="how many interquartile ranges above the third quartile")

    def macs(self, context: CostContext) -> int:
        return 0

    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        first, third = quantile(scores, free, 0.25), quantile(scores, free, 0.75)
        high = third + self.iqr * (third - first)
        return Decision((free & (scores.double() > high[:, None])).sum(dim=1).clamp(min=1))


def quantile(scores: Tensor, rows: Tensor, q: float) -> Tensor:
    """[G] float64: the quantile of each image's scores [G, N] among `rows` [G, N] bool, interpolated linearly."""
    import torch

    ordered = scores.double().masked_fill(~rows, torch.inf).sort(dim=1).values
    place = q * (rows.sum(dim=1) - 1).clamp(min=0).double()
    low = place.floor().long()[:, None]
    high = place.ceil().long()[:, None]
    below, above = ordered.gather(1, low).squeeze(1), ordered.gather(1, high).squeeze(1)
    return below + (above - below) * (place - place.floor())
