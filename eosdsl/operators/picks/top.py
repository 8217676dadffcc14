"""The highest scores."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Pick, Support, Tokens
from eosdsl.operators.candidates import Candidates

if TYPE_CHECKING:
    from torch import Tensor


class Top(Pick):
    """The tokens with the highest scores; of equals, those that come first.

    With `among` anchors take in only the best share of what is left, and the tail is dropped, as in DiffRate (arXiv
    2305.17997), which prunes and merges in one step.
    """

    name: ClassVar[str] = "top"

    among: Fraction = Field(
        default=Fraction(1), gt=0, le=1, description="the best share of what is left: all that is used"
    )

    @property
    def ranks(self) -> bool:
        return self.among == 1

    def macs(self, context: CostContext) -> int:
        return 0

    def own_support(self) -> Support | None:
        return Candidates(share=self.among) if self.among < 1 else None

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        from eosdsl.operators.tensors import best_first, first_rows

        return first_rows(best_first(scores, free), counts, most)
