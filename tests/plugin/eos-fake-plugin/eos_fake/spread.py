"""How far the values of a token's features lie apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Spread(Score):
    """Deviation of a token's features, times a factor: flat tokens carry little."""

    name: ClassVar[str] = "spread"

    factor: float = Field(default=1.0, gt=0, description="what the deviation is multiplied by")

    def macs(self, context: CostContext) -> int:
        return 2 * context.tokens * context.width

    def compute(self, tokens: Tokens) -> Tensor:
        return tokens.hidden.float().std(dim=-1) * self.factor
