"""One token of every cell of the image's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, field_validator

from eosdsl.operators.base import CostContext, Pick, Support, Tokens
from eosdsl.operators.grids import window_of, windows_in
from eosdsl.operators.supports.window import Window

if TYPE_CHECKING:
    from torch import Tensor


class Grid(Pick):
    """The first token of every cell, the image's grid cut into cells of `size` from the top left. Reads no score.

    Brings its own budget, one token a cell, while the grid is whole, and its own support, the cell:
    `pick grid(2x2) via pool` is 2x2 pooling. Of an image that has been reduced, or where a budget says otherwise, cells
    come in reading order, and then the other tokens.
    """

    name: ClassVar[str] = "grid"
    reads_grid: ClassVar[bool] = True

    size: tuple[int, int] = Field(description="rows by columns of a cell, like 2x2")

    @field_validator("size")
    @classmethod
    def _positive(cls, size: tuple[int, int]) -> tuple[int, int]:
        if min(size) < 1:
            raise ValueError("at least 1x1")
        return size

    @property
    def uses_score(self) -> bool:
        return False

    def own_count(self, incoming: int, grid: tuple[int, int] | None) -> int | None:
        if grid is None or grid[0] * grid[1] != incoming:
            return None
        rows, columns = windows_in(grid, self.size)
        return rows * columns

    def own_support(self) -> Support | None:
        return Window(size=self.size)

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.tensors import first_rows

        images, length = free.shape
        cells = window_of(tokens, self.size)
        row = torch.arange(length, device=free.device).expand(images, length)
        place = torch.where(free, tokens.index, torch.iinfo(torch.int64).max)
        # in the order of cells and places, a token is its cell's first where the one before it is of another cell
        by_place = place.argsort(dim=1, stable=True)
        by_cell = by_place.gather(1, cells.gather(1, by_place).argsort(dim=1, stable=True))
        ordered = cells.gather(1, by_cell)
        opens = torch.ones_like(free)
        opens[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
        first = torch.zeros_like(free).scatter(1, by_cell, opens) & free
        key = torch.where(first, cells, cells.amax(dim=1, keepdim=True) + 1 + row) + (~free).long() * (length * length)
        return first_rows(key.argsort(dim=1, stable=True), counts, most)
