"""The highest scores."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Top(Pick):
    """The tokens with the highest scores; of equals, those that come first."""

    name: ClassVar[str] = "top"

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        from eosdsl.operators.tensors import best_first, first_rows

        return first_rows(best_first(scores, free), counts, most)
