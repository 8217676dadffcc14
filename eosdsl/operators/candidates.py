"""The best part of what is left: picks that only look at so much of it (`among: 30%`)."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


def candidates(scores: Tensor, free: Tensor, share: Fraction) -> Tensor:
    """[G, N] bool: the highest scores among `free` [G, N], a share of them rounded up."""
    from eosdsl.operators.tensors import best_first, rank_of

    if share >= 1:
        return free
    number = (free.sum(dim=1, keepdim=True) * share.numerator + share.denominator - 1).div(
        share.denominator, rounding_mode="floor"
    )
    return free & (rank_of(best_first(scores, free)) < number)


class Candidates(Support):
    """An anchor may take in what its pick looked at."""

    name: ClassVar[str] = "candidates"
    reads_distance: ClassVar[bool] = False

    share: Fraction

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        from eosdsl.operators.tensors import at_rows

        assert tokens.scores is not None and tokens.free is not None, "the reduction fills these in"
        return at_rows(candidates(tokens.scores, tokens.free, self.share), columns)[:, None, :]
