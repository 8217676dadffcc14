"""A window of the image's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Window(Support):
    """An anchor may take in its own window: the image's grid cut into pieces of `size`, from the top left.

    Needs an image with a grid; windows at the right and lower edge may be smaller.
    """

    name: ClassVar[str] = "window"
    reads_grid: ClassVar[bool] = True
    reads_distance: ClassVar[bool] = False

    size: tuple[int, int] = Field(description="rows by columns of a window, like 2x2")

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 1:
            raise ValueError("at least 1x1")
        return size

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        from eosdsl.operators.grids import window_of
        from eosdsl.operators.tensors import at_rows, take_rows

        windows = window_of(tokens, self.size)
        return take_rows(windows, anchors)[:, :, None] == at_rows(windows, columns)[:, None, :]
