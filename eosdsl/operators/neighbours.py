"""Distances among the tokens of an image, in blocks, so that memory grows with N and not with N²."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

_ROUNDING = 1e-6  # of squared lengths, in single precision
_BLOCK = 512  # rows of a similarity matrix that are held at a time


def blocks(length: int) -> Iterator[slice]:
    """Slices that cover the rows of a similarity matrix, so many at a time."""
    return (slice(start, start + _BLOCK) for start in range(0, length, _BLOCK))


def products(units: Tensor, ends: Tensor) -> Tensor:
    """Inner products of one vector an image, ends [G, D], with its rows units [G, N, D]: [G, N].

    As a row times the transposed table: the other way round a batch of matrix-vector products is ten times as slow.
    """
    return (ends[:, None] @ units.transpose(1, 2)).squeeze(1)


def best_products(left: Tensor, right: Tensor, masks: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """The largest inner product of each row of left [G, L, D] with one of right [G, M, D], and the other way round.

    Only rows that count: masks [G, L, 1] and [G, 1, M] bool. [G, L] and [G, M], -inf where there is none.
    """
    rows: list[Tensor] = []
    columns = right.new_full(right.shape[:2], -torch.inf)
    for part in blocks(left.shape[1]):
        # in a function of its own, so that one block is gone before the next is made
        of_rows, of_columns = _largest(left[:, part], right, (masks[0][:, part], masks[1]))
        rows.append(of_rows)
        columns = torch.maximum(columns, of_columns)
    return torch.cat(rows, dim=1), columns


def _largest(left: Tensor, right: Tensor, masks: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    from eosdsl.operators.tensors import where_all

    block = where_all(left @ right.transpose(1, 2), masks)
    return block.amax(dim=2), block.amax(dim=1)


def nearest_cosine(units: Tensor, rows: Tensor) -> Tensor:
    """The largest cosine of each row of units [G, N, D] to another row among `rows` [G, N] bool: [G, N].

    -1 for a row that has no other.
    """
    best: list[Tensor] = []
    for part in blocks(units.shape[1]):
        block = units[:, part] @ units.transpose(1, 2)
        block.diagonal(part.start, dim1=1, dim2=2).fill_(-1.0)
        best.append(block.masked_fill(~rows[:, None, :], -1.0).amax(dim=2))
    return torch.cat(best, dim=1)


def euclidean(left: Tensor, right: Tensor) -> Tensor:
    """Distances of rows left [G, L, D] and right [G, N, D], over √D: they do not grow with the width. [G, L, N].

    Rows within rounding of each other are at distance zero, so that duplicates tie whatever they are computed beside.
    """
    norms = left.square().sum(dim=2)[:, :, None] + right.square().sum(dim=2)[:, None, :]
    squares = norms - 2 * (left @ right.transpose(1, 2))
    apart = (squares / left.shape[-1]).clamp(min=1e-12).sqrt()
    return torch.where(squares > norms * _ROUNDING, apart, 0.0)
