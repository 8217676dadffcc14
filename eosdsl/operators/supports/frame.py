"""The same frame of a video."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Frame(Support):
    """An anchor may take in tokens of its own frame; a still image is one frame."""

    name: ClassVar[str] = "frame"
    reads_distance: ClassVar[bool] = False

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        from eosdsl.operators.tensors import at_rows, take_rows

        if tokens.frame is None:
            return distance.new_ones((1, 1, 1)).bool()
        return take_rows(tokens.frame, anchors)[:, :, None] == at_rows(tokens.frame, columns)[:, None, :]
