"""Tokens that are good and unlike each other: a determinantal point process."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor

_EXHAUSTED = 1e-6  # a gain below this part of the greatest is rounding noise: the kernel's rank is used up


class Dpp(Pick):
    """Greedy maximum a posteriori of the process with kernel s_i cos(x_i, x_j) s_j (Chen et al., arXiv 1709.05135).

    s are the scores, moved so that none of an image is negative. CDPruner (arXiv 2506.10967) scores by relevance to the
    text. Once the kernel's rank is used up the rest is taken by score: K are K, and none twice.
    """

    name: ClassVar[str] = "dpp"

    on: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on)

    def macs(self, context: CostContext) -> int:
        rows = context.kept * context.tokens
        return rows * context.feature_width(self.on) + rows * context.kept

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.neighbours import products
        from eosdsl.operators.tensors import best_first, features, first_best, rank_of, rows_where, unit_rows

        units = unit_rows(features(tokens, self.on).detach())
        order = best_first(scores, free)
        quality = _not_negative(scores.to(units.dtype), free)
        images = torch.arange(free.shape[0], device=free.device)
        chosen = torch.zeros_like(free)
        gain = quality.square() * units.square().sum(dim=2)
        least = gain.amax(dim=1, keepdim=True) * _EXHAUSTED
        fallback = -1.0 - rank_of(order).to(gain.dtype)
        basis = units.new_zeros((free.shape[0], most, free.shape[1]))
        for slot in range(most):
            worth = torch.where(gain > least, gain, fallback)
            best = first_best(
                worth.masked_fill(~free | chosen, -torch.inf), worth.amax(dim=1, keepdim=True).clamp(min=0)
            )
            chosen[images, best] |= counts > slot
            kernel = products(units, units[images, best]) * quality * quality[images, best][:, None]
            done = basis[:, :slot]
            known = (done[images, :, best][:, None] @ done).squeeze(1)
            pivot = gain[images, best]
            fresh = (kernel - known) / pivot.clamp(min=torch.finfo(gain.dtype).tiny).sqrt()[:, None]
            fresh = fresh * (pivot > least.squeeze(1))[:, None]
            basis[:, slot] = fresh
            gain = gain - fresh.square()
        return rows_where(chosen, most)


def _not_negative(scores: Tensor, free: Tensor) -> Tensor:
    """Scores [G, N] of an image moved up by its least, where that is negative; zero where not free."""
    import torch

    least = scores.masked_fill(~free, torch.inf).amin(dim=1, keepdim=True).clamp(max=0)
    return (scores - least.nan_to_num(neginf=0, posinf=0)).masked_fill(~free, 0.0)
