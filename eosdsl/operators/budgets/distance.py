"""As many as keep apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Budget, CostContext, Decision, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Apart(Budget):
    """A token is an anchor if no anchor before it is within the distance: from the highest score, or density, down.

    The distance is 1 - cosine of the hidden state, or what the pick brings along: `retain distance 0.21 pick
    density_peaks(on: keys, by: cosine, kernel: gaussian)` are the centres of PACT (arXiv 2504.08966).
    """

    name: ClassVar[str] = "distance"

    least: float = Field(gt=0, description="how far anchors are apart at least")

    def macs(self, context: CostContext) -> int:
        return context.tokens * context.tokens * context.width

    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        import torch

        from eosdsl.operators.similarities.cosine import Cosine
        from eosdsl.operators.tensors import best_first, rank_of

        similarity = pick.own_similarity() or Cosine()
        priority = pick.priority(tokens, scores)
        open_rows = free & (priority > -torch.inf)
        rank = rank_of(best_first(priority, open_rows))
        every = torch.arange(free.shape[1], device=free.device).expand_as(free)
        near = similarity.identical - similarity.matrix(tokens, every, None).detach() <= self.least
        chosen = torch.zeros_like(free)
        last = free.shape[1]
        # rounds instead of tokens: whoever is first among those still open that are near it becomes an anchor
        while bool(open_rows.any()):
            rivals = torch.where(near & open_rows[:, None, :], rank[:, None, :], last).amin(dim=2)
            fresh = open_rows & (rank <= rivals)
            chosen = chosen | fresh
            open_rows = open_rows & ~fresh & ~(near & fresh[:, None, :]).any(dim=2)
        return Decision(chosen.sum(dim=1).clamp(min=1), chosen)
