"""Every other token."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Alternate(Pick):
    """The second, fourth, … of the tokens left come before the first, third, …; within each the higher scores first.

    At a budget of half of them this is every other token.
    """

    name: ClassVar[str] = "alternate"

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        from eosdsl.operators.tensors import best_first, first_rows, place_among, rank_of

        rank = rank_of(best_first(scores, free))
        second = free & (place_among(free) % 2 == 1)
        length = free.shape[1]
        key = rank + (~second).long() * length + (~free).long() * 2 * length
        return first_rows(key.argsort(dim=1), counts, most)
