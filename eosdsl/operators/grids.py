"""Places in an image's grid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eosdsl.diagnostics import SpecError, error

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens


def windows_in(grid: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of windows of a size that a grid is cut into, smaller ones at the edges counted."""
    return -(-grid[0] // size[0]), -(-grid[1] // size[1])


def window_of(tokens: Tokens, size: tuple[int, int]) -> Tensor:
    """[G, N] int64: the window of each token, counted row by row. SpecError (E0229) where the image has no grid."""
    if tokens.grid is None:
        message = f"a window of {size[0]}x{size[1]} needs an image with a grid"
        raise SpecError([error("E0229", message, helps=("pass `grid=` (rows, columns) of the unreduced image",))])
    _, across = windows_in(tokens.grid, size)
    row = tokens.index.div(tokens.grid[1], rounding_mode="floor")
    column = tokens.index.remainder(tokens.grid[1])
    return row.div(size[0], rounding_mode="floor") * across + column.div(size[1], rounding_mode="floor")
