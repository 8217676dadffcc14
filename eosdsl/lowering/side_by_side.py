"""Features that are those of several layers of the tower, side by side (ViP-LLaVA, arXiv 2312.00784).

What early layers gave is read on the way and goes along with the rows: a patch that is given up takes all its features
along, and one that takes others in takes in theirs by the same weights, so that every feature of a row is of the same
patches. At the tower's output a row is all of its features.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from eosdsl.lowering.stream import Stream


def with_read(stream: Stream, hidden: Tensor) -> Stream:
    """The stream whose patches have one feature more, what hidden [G, L, D] says of them (a node of the graph)."""
    there = stream.beside(hidden)
    images = there.images
    assert images is not None
    read = hidden[images.batch[:, None], images.rows]
    return replace(there, images=replace(images, later=(*images.later, read)))


def joined(stream: Stream, order: tuple[int, ...]) -> Stream:
    """The stream whose rows are the features read, in this order, [G, L, D * features]; rows that are no patches have
    none, for none of them is selected (a node of the graph).
    """
    images = stream.images
    assert images is not None
    beside = torch.cat([images.later[place] for place in order], dim=2)
    count, length = stream.hidden.shape[:2]
    rows = images.rows if images.valid is None else images.rows.where(images.valid, length)
    every = beside.new_zeros(count, length + 1, beside.shape[2])
    wide = every.index_put((images.batch[:, None], rows), beside)[:, :-1]
    return replace(stream.beside(wide), images=replace(images, later=()))
