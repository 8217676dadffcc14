"""Where the tokens of images lie in the rows of a tower whose patches are joined."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import torch
from torch import Tensor

from eosdsl.lowering.anatomy import CellTower
from eosdsl.lowering.cells import WHOLE, WINDOW, Geometry
from eosdsl.lowering.images import Grid

Frames = tuple[int, int, int]
"""Frames of an image or video, rows and columns of patches in each."""


def of_tiles(length: int, counts: Sequence[int], merge: int, leading: int) -> Geometry:
    """Images of so many tiles each (`counts`), every tile a sequence of `length` rows: `leading`, then a square of
    patches, row by row.
    """
    side = isqrt(length - leading)
    own = leading + _blocks(side, side, merge)
    tiles = sum(counts)
    rows = torch.arange(tiles)[:, None, None] * length + own
    owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    joined = tuple(one.flatten(0, 1) for one in rows.split(list(counts)))
    grid: Grid = (side // merge, side // merge)
    grids = tuple(grid if count == 1 else None for count in counts)
    part = torch.arange(tiles)[:, None].expand(tiles, length)
    return Geometry(joined, owner[:, None].expand(tiles, length), {WHOLE: part}, grids)


def of_groups(images: Sequence[Frames], merge: int, window: int | None) -> Geometry:
    """Images and videos behind each other in one sequence, patches that are joined beside each other.

    window: tokens along the side of a window, where some layers attend within windows: those of a window then stand
    beside each other.
    """
    area = merge**2
    cells: list[Tensor] = []
    owners: list[Tensor] = []
    frames: list[Tensor] = []
    windows: list[Tensor] = []
    start = 0
    for image, (count, rows, columns) in enumerate(images):
        down, across = rows // merge, columns // merge
        order, sizes = _windows(count, down, across, window or max(down, across))
        tokens = count * down * across
        place = torch.empty(tokens, dtype=torch.int64).scatter(0, order, torch.arange(tokens))
        cells.append((start + place)[:, None] * area + torch.arange(area))
        owners.append(torch.full((tokens,), image))
        frames.append(_next(frames) + torch.arange(count).repeat_interleave(down * across))
        windows.append(_next(windows) + torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes)))
        start += tokens
    parts = {WHOLE: _rows(frames, area)} | ({WINDOW: _rows(windows, area)} if window else {})
    grids = tuple((r // merge, c // merge) if t == 1 else None for t, r, c in images)
    return Geometry(tuple(cells), _rows(owners, area), parts, grids)


def window_side(tower: CellTower) -> int | None:
    """Tokens along the side of a window, None where no layer has any."""
    encoder = tower.known.encoder
    assert encoder is not None
    return isqrt(encoder.window) // tower.merge if encoder.window and encoder.windowed_layers else None


def _blocks(rows: int, columns: int, merge: int) -> Tensor:
    """[tokens, merge * merge]: the patches of every token, of a grid of patches counted row by row."""
    patches = torch.arange(rows * columns).view(rows // merge, merge, columns // merge, merge)
    return patches.transpose(1, 2).reshape(-1, merge * merge)


def _windows(frames: int, down: int, across: int, side: int) -> tuple[Tensor, list[int]]:
    """The tokens of a video in the order of its windows, frame by frame, and how many each window has."""
    tokens = torch.arange(frames * down * across).view(frames, down, across)
    found = [part.flatten() for frame in tokens for band in frame.split(side, 0) for part in band.split(side, 1)]
    return torch.cat(found), [len(one) for one in found]


def _next(parts: Sequence[Tensor]) -> int:
    return int(parts[-1].max()) + 1 if parts else 0


def _rows(tokens: Sequence[Tensor], area: int) -> Tensor:
    """[1, rows]: what holds of tokens, of each of their rows."""
    return torch.cat(list(tokens)).repeat_interleave(area)[None]


def frames_of(grids: Tensor) -> tuple[Frames, ...]:
    """Frames, rows and columns [G, 3] as the host has them."""
    return tuple((count, rows, columns) for count, rows, columns in grids.tolist())
