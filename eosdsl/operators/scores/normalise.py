"""A score brought to a common scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Probe, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Normalise(Score):
    """The score on a common scale: from 0 to 1 (`unit`), adding up to one (`share`), standardised, or by rank.

    The scale is that of the token's own image. `over: batch` takes all images of a call together, so that a result
    depends on its batch: only to reproduce what does (CDPruner, arXiv 2506.10967).
    """

    name: ClassVar[str] = "normalise"

    score: Score = Field(description="the score")
    to: Literal["unit", "share", "standard", "rank"] = Field(default="unit", description="the scale")
    over: Literal["image", "batch"] = Field(default="image", description="which tokens set the scale")

    @property
    def reads_text(self) -> bool:
        return self.score.reads_text

    def probes(self) -> frozenset[Probe]:
        return self.score.probes()

    def macs(self, context: CostContext) -> int:
        return self.score.macs(context)

    def compute(self, tokens: Tokens) -> Tensor:
        from eosdsl.operators.tensors import present

        scores, rows = self.score.compute(tokens), present(tokens)
        if self.over == "batch":
            return self._scaled(scores.reshape(1, -1), rows.reshape(1, -1)).view_as(scores)
        return self._scaled(scores, rows)

    def _scaled(self, scores: Tensor, rows: Tensor) -> Tensor:
        """[G, N] → [G, N], zero where `rows` [G, N] bool does not hold."""
        import torch

        from eosdsl.operators.tensors import best_first, rank_of, standardise

        if self.to == "standard":
            return standardise(scores, rows)
        if self.to == "rank":
            last = rows.sum(dim=1, keepdim=True) - 1
            return ((last - rank_of(best_first(scores, rows))) / last.clamp(min=1)).masked_fill(~rows, 0.0)
        if self.to == "share":
            kept = torch.where(rows, scores, 0.0)
            total = kept.sum(dim=1, keepdim=True)
            return kept / torch.where(total == 0, 1.0, total)
        low = scores.masked_fill(~rows, torch.inf).amin(dim=1, keepdim=True)
        width = scores.masked_fill(~rows, -torch.inf).amax(dim=1, keepdim=True) - low
        return ((scores - low) / torch.where(width == 0, 1.0, width)).masked_fill(~rows, 0.0)
