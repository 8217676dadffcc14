"""A share of what earlier groups left."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Budget, CostContext, Decision, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Left(Budget):
    """A share of the tokens that earlier groups of the step left, rounded up: for groups after an adaptive one.

    SparseVLM 1.0 (arXiv 2410.04417) turns 3% of what its rank rule gave up into clusters: `and retain left(3%)`.
    """

    name: ClassVar[str] = "left"

    share: Fraction = Field(gt=0, le=1, description="the part of what is left, such as 3%")

    @property
    def uses_score(self) -> bool:
        return False

    def macs(self, context: CostContext) -> int:
        return 0

    def decide(self, tokens: Tokens, scores: Tensor, free: Tensor, pick: Pick) -> Decision:
        top, bottom = self.share.numerator, self.share.denominator
        return Decision((free.sum(dim=1) * top + bottom - 1).div(bottom, rounding_mode="floor"))
