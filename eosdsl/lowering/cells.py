"""Towers whose patches are joined behind the last layer: what is one visual token is one token in the tower too.

A *cell* is the patches that the model joins into one visual token (2 by 2 in Qwen-VL and InternVL, 4 by 4 in Gemma 3).
Its rows go, stay and take others in together, patch by patch, so that the grid of those that stay keeps its meaning; a
token is its patches side by side. The tower has T sequences of L rows: one of all images (Qwen-VL), or one for each
tile of an image. An image may have cells in several sequences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from eosdsl.lowering.devices import on
from eosdsl.lowering.images import Grid, Images, Queries, Wanted
from eosdsl.lowering.stream import Stream
from eosdsl.operators.tensors import take_rows

WHOLE = "whole"
WINDOW = "window"
"""Kinds of layers: rows attend to their frame or tile, or to their window of it."""


@dataclass(frozen=True)
class Geometry:
    """Where G images lie in the rows of a tower, before anything is reduced.

    cells: of every image [n, U] int64, the rows of its tokens, counted through all sequences, in the decoder's order;
    owner [T, L] int64: the image that a row belongs to, -1: none; parts: by kind of layer [T, L] int64, what attends to
    each other has one number, and numbers ascend; grids of the images. Where some of an image's tokens in the decoder
    are of no patch (newlines): places [n] of those that are, and originals, tokens of each image in the decoder.
    """

    cells: tuple[Tensor, ...]
    owner: Tensor
    parts: Mapping[str, Tensor]
    grids: tuple[Grid, ...]
    places: tuple[Tensor, ...] = ()
    originals: tuple[int, ...] = ()

    @property
    def totals(self) -> tuple[int, ...]:
        """Tokens of every image in the decoder."""
        return self.originals or tuple(map(len, self.cells))

    @property
    def others(self) -> tuple[Tensor, ...]:
        """Places of every image's tokens that no patch stands for."""
        if not self.places:
            return tuple(own.new_zeros(0, dtype=torch.int64) for own in self.cells)
        told = zip(self.places, self.originals, strict=True)
        return tuple(torch.ones(total).index_fill(0, own, 0.0).nonzero()[:, 0] for own, total in told)

    def by_place(self, image: int) -> tuple[Tensor, Tensor]:
        """Of an image the places of its tokens [n], and their rows by place, [N, U]; zeros where a place has none."""
        cells = self.cells[image]
        if not self.places:
            return torch.arange(len(cells)), cells
        places = self.places[image]
        return places, cells.new_zeros(self.originals[image], cells.shape[1]).index_put((places,), cells)


@dataclass(frozen=True)
class Called:
    """What the tower's layers are called with besides rows.

    given: what else transformers called the first of them with; borders: of what attends to each other in the one
    sequence of all images, cumulative lengths by kind of layer; rope (cos, sin) each [T, L, d]; bias [T, L] float32:
    added to the logits of keys; mask [T, 1, 1, L]: the same for layers that take a mask, with what is padding.
    """

    given: Mapping[str, Any] = field(default_factory=dict[str, Any])
    borders: Mapping[str, Tensor] = field(default_factory=dict[str, Tensor])
    rope: tuple[Tensor, Tensor] | None = None
    mask: Tensor | None = None
    bias: Tensor | None = None


@dataclass(frozen=True)
class CellStream:
    """Rows of the tower on their way: T sequences of L rows, G images of N tokens, U rows each.

    hidden [T, L, D]; attention_mask: what layers are called with (the name it has in the graph); images: its `batch`
    and `rows` count images and tokens, not sequences, and its `later` [G, N, U * D] is what early layers said of the
    tokens; cells [G, M, U] int64: the rows of every token that is there, by its place in the unreduced image, counted
    through all sequences; homes [G, M, U]: where they were at first; valid [T, L] bool, None where all rows are; owner
    and parts as in `Geometry`; rope (cos, sin) each [T, L, d]; strength: of the bias by log size in force.
    """

    hidden: Tensor
    attention_mask: Called
    images: Images
    cells: Tensor
    homes: Tensor
    owner: Tensor
    parts: Mapping[str, Tensor]
    valid: Tensor | None = None
    rope: tuple[Tensor, Tensor] | None = None
    strength: float = 0.0

    def beside(self, hidden: Tensor) -> Self:
        """The stream with these rows, and all that travels with them on their device."""
        with_rows = replace(self, hidden=hidden)
        return with_rows if self.cells.device == hidden.device else on(with_rows, hidden.device)

    @property
    def places(self) -> Tensor:
        """[G, N, U]: the rows of every token."""
        return take_rows(self.cells, self.images.index)


def entering(
    hidden: Tensor,
    geometry: Geometry,
    wanted: Sequence[Wanted],
    called: Called,
) -> CellStream:
    """The stream in front of the tower's first layer, of hidden [T, L, D]."""
    device = hidden.device
    counts = tuple(len(own) for own in geometry.cells)
    most = max(counts)
    told = [geometry.by_place(image) for image in range(len(counts))]
    index = _padded([places for places, _ in told], most).to(device)
    cells = _padded([own for _, own in told], max(geometry.totals)).to(device)
    each = torch.arange(most, device=device)
    held = torch.tensor(counts, device=device)
    images = Images(
        batch=torch.arange(len(counts), device=device),
        rows=each.expand(len(counts), most),
        valid=None if min(counts) == most else each < held[:, None],
        sizes=torch.ones(len(counts), most, device=device),
        index=index,
        sequences=tuple(range(len(counts))),
        counts=counts,
        originals=geometry.totals,
        wanted=tuple(wanted),
        decided=((),) * len(counts),
        grids=geometry.grids,
        in_tower=counts if geometry.originals else (),
    )
    parts = {kind: own.to(device) for kind, own in geometry.parts.items()}
    return CellStream(hidden, called, images, cells, cells, geometry.owner.to(device), parts, rope=called.rope)


def _padded(rows: Sequence[Tensor], most: int) -> Tensor:
    """Rows of all images, [G, most, …], zeros behind those of the shorter."""
    padded = [torch.cat([own, own.new_zeros(most - len(own), *own.shape[1:])]) for own in rows]
    return torch.stack(padded)


def side_by_side(rows: Tensor, places: Tensor) -> Tensor:
    """Features [T, L, F] of tokens at `places` [G, N, U], their patches side by side: [G, N, U * F]."""
    return rows.flatten(0, 1)[places].flatten(2)


def as_tokens(stream: CellStream) -> Stream:
    """The images of a stream as sequences of tokens, [G, N, U * D]: what a reduction is made on."""
    images = stream.images
    count, most = images.index.shape
    each = torch.arange(most, device=stream.hidden.device).expand(count, most)
    first = torch.zeros(count, dtype=torch.int64, device=stream.hidden.device)
    none = first.new_zeros(count, 0)
    return Stream(
        hidden=side_by_side(stream.hidden, stream.places),
        attention_mask=None,
        position_embeddings=None,
        position_ids=None,
        positions=each,
        valid=images.valid,
        images=replace(images, rows=each),
        queries=Queries(last=first, text=none, text_after=none.bool(), in_prompt=None),
        lengths=images.counts,
        tower=True,
    )


def with_tokens(stream: CellStream, left: Stream, *, rewritten: bool) -> CellStream:
    """The stream with the tokens that a reduction left of `as_tokens(stream)`; all other rows stay as they are.

    rewritten: tokens have other content than they came with.
    """
    images = left.images
    assert images is not None
    sequences, length, width = stream.hidden.shape
    area = stream.cells.shape[2]
    end = sequences * length
    places = take_rows(stream.cells, images.index)
    there = places if images.valid is None else places.where(images.valid[:, :, None], end)
    now = stream.places
    now = now if stream.images.valid is None else now.where(stream.images.valid[:, :, None], end)
    stays = torch.ones(end + 1, dtype=torch.bool, device=places.device)
    if stream.valid is not None:
        stays = torch.cat([stream.valid.flatten(), stays[:1]])
    stays = stays.index_fill(0, now.flatten(), False).index_fill(0, there.flatten(), True)[:end]
    stays = stays.view(sequences, length)
    rows = stream.hidden
    if rewritten:
        tokens = left.hidden[images.batch[:, None], images.rows].view(*places.shape, width)
        spare = torch.cat([rows.flatten(0, 1), rows.new_zeros(1, width)])
        rows = spare.index_put((there,), tokens.to(rows.dtype))[:end].view_as(rows)
    held = _lengths(stream, images, stays, area)
    longest = max(held)
    source = torch.argsort((~stays).to(torch.uint8), dim=1, stable=True)[:, :longest]
    slots = torch.arange(longest, device=source.device)
    moved = source.new_zeros(sequences, length).scatter(1, source, slots.expand_as(source))
    moved = (moved + torch.arange(sequences, device=source.device)[:, None] * longest).flatten()
    ragged = min(held) < longest
    return replace(
        stream,
        hidden=take_rows(rows, source),
        images=replace(images, rows=torch.arange(places.shape[1], device=places.device).expand(places.shape[:2])),
        cells=moved[stream.cells],
        owner=stream.owner.gather(1, source),
        parts={kind: own.gather(1, source) for kind, own in stream.parts.items()},
        valid=slots < torch.tensor(held, device=source.device)[:, None] if ragged else None,
        rope=None if stream.rope is None else tuple(take_rows(table, source) for table in stream.rope),
    )


def _lengths(stream: CellStream, images: Images, stays: Tensor, area: int) -> list[int]:
    """Rows left of every sequence; known without a transfer where there is but one."""
    if len(stays) > 1 or stream.valid is not None:
        return stays.sum(dim=1).tolist()
    return [stays.shape[1] - area * (sum(stream.images.counts) - sum(images.counts))]


def sizes_of_rows(stream: CellStream) -> Tensor:
    """How many tokens the token of a row stands for, float32 [T, L]; 1 for rows that are of none."""
    images, places = stream.images, stream.places
    end = stream.hidden.shape[0] * stream.hidden.shape[1]
    there = places if images.valid is None else places.where(images.valid[:, :, None], end)
    own = images.sizes[:, :, None].expand_as(there)
    spare = torch.ones(end + 1, device=places.device)
    return spare.index_put((there,), own)[:end].view(stream.hidden.shape[:2])


def spread(stream: CellStream, like: Tensor) -> Tensor:
    """Rows as the tower had them at first, [T, L, D] as `like` has them: those of tokens that are there where they
    were, zeros elsewhere. What joins, pools or shuffles the patches gives their tokens, and others that nobody reads.
    """
    images = stream.images
    end = like.shape[0] * like.shape[1]
    homes = take_rows(stream.homes, images.index)
    homes = homes if images.valid is None else homes.where(images.valid[:, :, None], end)
    rows = stream.hidden.flatten(0, 1)[stream.places]
    spare = rows.new_zeros(end + 1, rows.shape[-1])
    return spare.index_put((homes,), rows)[:end].view(*like.shape[:2], -1).to(like.device)


def with_read(stream: CellStream, hidden: Tensor) -> CellStream:
    """The stream whose tokens have one feature more, what hidden [T, L, D] says of them (a node of the graph)."""
    there = stream.beside(hidden)
    read = side_by_side(hidden, there.places)
    return replace(there, images=replace(there.images, later=(*there.images.later, read)))
