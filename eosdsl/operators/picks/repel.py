"""Tokens least like some pivots."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, TextProbe, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Repel(Pick):
    """A few pivots, and for each in turn the tokens least like it that are still there (DART, arXiv 2502.11494).

    Pivots are the highest scores. The K - P other anchors are shared out evenly, the first pivots taking one more where
    it does not come out: K are K (the published rule rounds down and its count is not what was asked for). With `text`
    the features of the question are pivots as well, after the image's own, and are no anchors themselves.
    """

    name: ClassVar[str] = "repel"

    pivots: int = Field(default=8, ge=1, description="how many tokens are pivots")
    on: Feature = Field(default="hidden", description="which features")
    text: bool = Field(default=False, description="whether the question's features are pivots too")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on) | (frozenset({TextProbe()}) if self.text else frozenset())

    def macs(self, context: CostContext) -> int:
        pivots = self.pivots + (context.text_rows if self.text else 0)
        return pivots * context.tokens * context.feature_width(self.on)

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.tensors import (
            best_first,
            features,
            marked,
            rank_of,
            rows_where,
            take_rows,
            text_features,
            unit_rows,
        )

        units = unit_rows(features(tokens, self.on).detach())
        first = best_first(scores, free)[:, : min(self.pivots, most)]
        own = counts.clamp(max=first.shape[1])
        is_pivot = torch.arange(first.shape[1], device=free.device) < own[:, None]
        chosen = marked(torch.where(is_pivot, first, -1), free.shape[1])
        ends, acts = take_rows(units, first), is_pivot
        if self.text and tokens.text is not None:
            texts = unit_rows(text_features(tokens, units.shape[-1]).to(units.dtype).detach())
            ends = torch.cat([ends, texts], dim=1)
            there = tokens.text_valid if tokens.text_valid is not None else is_pivot.new_ones(texts.shape[:2])
            acts = torch.cat([acts, there], dim=1)
        chosen = spread(units, ends, share_out(counts - own, acts), free, chosen)
        # a single image without acting pivots for its whole count falls back on the scores
        lacking = counts - chosen.sum(dim=1)
        left = rank_of(best_first(scores, free & ~chosen)) < lacking[:, None]
        return rows_where(chosen | (left & free & ~chosen), most)


def share_out(number: Tensor, acts: Tensor) -> Tensor:
    """Quotas [G, P] of `number` [G] over the pivots that act [G, P] bool; the first take what does not come out."""
    from eosdsl.operators.tensors import place_among

    pivots = acts.sum(dim=1).clamp(min=1)
    even = number.div(pivots, rounding_mode="floor")
    odd = place_among(acts) < (number - even * pivots)[:, None]
    return (even[:, None] + odd.long()) * acts


def spread(units: Tensor, ends: Tensor, quotas: Tensor, free: Tensor, chosen: Tensor) -> Tensor:
    """`chosen` [G, N] bool with, pivot after pivot, the `quotas` [G, P] free tokens of lowest cosine to it.

    units [G, N, D] and ends [G, P, D] have length one; equals go to the lower position.
    """
    from eosdsl.operators.neighbours import products
    from eosdsl.operators.tensors import lowest

    for pivot in range(ends.shape[1]):
        likeness = products(units, ends[:, pivot])
        chosen = chosen | lowest(likeness, free & ~chosen, quotas[:, pivot : pivot + 1])
    return chosen
