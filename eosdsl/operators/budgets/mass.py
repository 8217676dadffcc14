"""As many as hold a share of the score."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Budget, CostContext, Decision, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Mass(Budget):
    """The fewest tokens whose scores add up to a share of the image's total, from the highest score down.

    Meant for scores that are amounts, such as attention; negative scores count as nothing. `mass 90%`.
    """

    name: ClassVar[str] = "mass"

    share: Fraction = Field(gt=0, le=1, description="the part of the total, such as 90%")

    def macs(self, context: CostContext) -> int:
        return 0

    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        import torch

        amounts = torch.where(free, scores.double().clamp(min=0), 0.0).sort(dim=1, descending=True).values
        reached = amounts.cumsum(dim=1)
        wanted = float(self.share) * reached[:, -1:]
        short = (reached < wanted * (1 - 1e-9)).sum(dim=1) + 1
        return Decision(torch.minimum(short, free.sum(dim=1)).clamp(min=1))
