"""No restriction."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Everywhere(Support):
    """Every anchor may take in every token of its image."""

    name: ClassVar[str] = "everywhere"
    reads_distance: ClassVar[bool] = False

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        return distance.new_ones((1, 1, 1)).bool()
