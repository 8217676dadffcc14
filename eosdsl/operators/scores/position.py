"""Where a token stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Position(Score):
    """The place of a token in its unreduced image: later is higher; `negate(position)` prefers the first."""

    name: ClassVar[str] = "position"

    def macs(self, context: CostContext) -> int:
        return 0

    def compute(self, tokens: Tokens) -> Tensor:
        return tokens.index.float()
