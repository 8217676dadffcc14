"""How far a token lies from the mean of its image."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Contrast(Score):
    """Distance of a token's hidden state from the mean over the tokens present, to a power."""

    name: ClassVar[str] = "contrast"

    power: float = Field(default=1.0, gt=0, description="larger favours outliers in a sum")

    def macs(self, context: CostContext) -> int:
        return 2 * context.tokens * context.width

    def compute(self, tokens: Tokens) -> Tensor:
        hidden = tokens.hidden.float()
        if tokens.valid is None:
            mean = hidden.mean(dim=1, keepdim=True)
        else:
            share = tokens.valid[:, :, None].float()
            mean = (hidden * share).sum(dim=1, keepdim=True) / share.sum(dim=1, keepdim=True)
        return (hidden - mean).norm(dim=-1) ** self.power
