"""Likeness to the rest of the image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Score, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class SimilarityTo(Score):
    """The cosine of a token to a reference in its image: the mean token, all others on average, or its nearest.

    High is redundant: `negate(similarity(others))` keeps what stands out.
    """

    name: ClassVar[str] = "similarity"

    to: Literal["mean", "others", "nearest"] = Field(default="others", description="the reference")
    of: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of)

    def macs(self, context: CostContext) -> int:
        others = context.tokens if self.to == "nearest" else 1
        return context.tokens * others * context.feature_width(self.of)

    def compute(self, tokens: Tokens) -> Tensor:
        from eosdsl.operators.neighbours import nearest_cosine
        from eosdsl.operators.tensors import features, present, unit_rows

        rows = present(tokens)
        share = rows.to(tokens.sizes.dtype)[:, :, None]
        number = share.sum(dim=1, keepdim=True)
        table = features(tokens, self.of)
        if self.to == "nearest":
            return nearest_cosine(unit_rows(table), rows).float()
        if self.to == "mean":
            mean = unit_rows((table * share).sum(dim=1, keepdim=True) / number.clamp(min=1))
            return (unit_rows(table) @ mean.transpose(1, 2)).squeeze(2).float()
        # the sum over the others of a unit's cosines is its inner product with the sum of units, less its own
        units = unit_rows(table) * share
        total = units @ units.sum(dim=1)[:, :, None]
        own = units.square().sum(dim=2, keepdim=True)
        return ((total - own) / (number - 1).clamp(min=1)).squeeze(2).float()
