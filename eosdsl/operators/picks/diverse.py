"""Tokens far from each other."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Diverse(Pick):
    """Farthest first: each anchor is the token whose nearest anchor is farthest by cosine (max-min diversity).

    The first is the most isolated token, whose nearest neighbour is farthest (DivPrune, arXiv 2503.02175), or the one
    with the highest score. Distances are in single precision whatever the features are: in bfloat16 the choice would
    be noise. Duplicates come last, and never twice.
    """

    name: ClassVar[str] = "diverse"

    on: Feature = Field(default="hidden", description="which features")
    first: Literal["isolated", "score"] = Field(default="isolated", description="which token is the first")

    @property
    def uses_score(self) -> bool:
        return self.first == "score"

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on)

    def macs(self, context: CostContext) -> int:
        start = context.tokens if self.first == "isolated" else 0
        return (start + context.kept) * context.tokens * context.feature_width(self.on)

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.neighbours import nearest_cosine, products
        from eosdsl.operators.tensors import features, first_best, rows_where, unit_rows

        units = unit_rows(features(tokens, self.on).detach())
        start = scores.to(units.dtype) if self.first == "score" else -nearest_cosine(units, free)
        images = torch.arange(free.shape[0], device=free.device)
        chosen = torch.zeros_like(free)
        apart = torch.nan_to_num(start)
        scale = 0.0 if self.first == "score" else 1.0  # scores are what they are
        for slot in range(most):
            best = first_best(apart.masked_fill(~free | chosen, -torch.inf), scale if slot == 0 else 1.0)
            chosen[images, best] |= counts > slot
            near = 1 - products(units, units[images, best])
            apart = near if slot == 0 else torch.minimum(apart, near)
        return rows_where(chosen, most)
