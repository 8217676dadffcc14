"""As many as keep apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Budget, CostContext, Decision, Pick, Similarity, Tokens

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
        near = self._near(tokens, similarity)
        chosen = torch.zeros_like(free)
        # rounds instead of tokens: whoever is first among those still open that are near it becomes an anchor
        while bool(open_rows.any()):
            fresh = open_rows & (rank <= _first_near(near, open_rows, rank))
            chosen = chosen | fresh
            open_rows = open_rows & ~fresh & ~_any_near(near, fresh)
        return Decision(chosen.sum(dim=1).clamp(min=1), chosen)

    def _near(self, tokens: Tokens, similarity: Similarity) -> Tensor:
        """[G, N, N] bool."""
        import torch

        from eosdsl.operators.neighbours import blocks

        every = torch.arange(tokens.index.shape[1], device=tokens.index.device).expand_as(tokens.index)
        parts = (similarity.matrix(tokens, every[:, rows], None).detach() for rows in blocks(every.shape[1]))
        return torch.cat([similarity.identical - likeness <= self.least for likeness in parts], dim=1)


def _first_near(near: Tensor, rows: Tensor, rank: Tensor) -> Tensor:
    """Of every token the least rank among `rows` [G, N] bool that are near it: [G, N]."""
    import torch

    from eosdsl.operators.neighbours import blocks

    places = rank.masked_fill(~rows, rank.shape[1]).int()[:, None, :]
    parts = [torch.where(near[:, part], places, rank.shape[1]).amin(dim=2) for part in blocks(rank.shape[1])]
    return torch.cat(parts, dim=1)


def _any_near(near: Tensor, rows: Tensor) -> Tensor:
    """[G, N] bool: the tokens near one of `rows` [G, N] bool."""
    import torch

    from eosdsl.operators.neighbours import blocks

    parts = [(near[:, part] & rows[:, None, :]).any(dim=2) for part in blocks(rows.shape[1])]
    return torch.cat(parts, dim=1)
