"""Take a reduction out of the sequence: rows that are given up go, everything else moves together."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from eosdsl.lowering.images import Images, Queries
from eosdsl.lowering.late import reduced
from eosdsl.lowering.places import expanded, gathered, on_axes
from eosdsl.lowering.stream import Stream
from eosdsl.operators.base import Reduction
from eosdsl.operators.positions import Positions, row_positions
from eosdsl.operators.tensors import take_rows


@dataclass(frozen=True)
class Cutting:
    """How rows are put back. `rewrites`: kept rows have new content or another order (false where all is pruned);
    `positions` policy; `counts`: tokens each image has afterwards, known to the host; `anchored`: every row has an
    anchor among the tokens.
    """

    rewrites: bool
    positions: Positions
    counts: tuple[int, ...]
    anchored: bool = True


def cut(stream: Stream, reduction: Reduction, cutting: Cutting) -> Stream:
    """The stream with the K rows of `reduction` in place of the N tokens of each image. Text rows keep their content.

    Sequences stay aligned at their ends; where they lose different numbers of rows, the shorter are padded on the left.
    """
    images, queries = stream.images, stream.queries
    assert images is not None and queries is not None
    lengths = _lengths(stream, images, cutting)
    length = max(lengths)
    slots, slot_valid = _slots(reduction, images, anchored=cutting.anchored)
    kept = _kept(stream, images, slots, slot_valid)
    source = torch.argsort(kept.to(torch.uint8), dim=1, stable=True)[:, kept.shape[1] - length :]
    moved = _moved(source, kept.shape[1])
    rows = moved[images.batch[:, None], images.rows.gather(1, slots)]
    padded = any(own != length for own in lengths)
    hidden = take_rows(stream.hidden, source)
    positions = gathered(stream.positions, source)
    if cutting.rewrites:
        hidden = _put(hidden, images.batch, rows, reduction.valid, reduction.hidden.to(hidden.dtype))
        tokens = expanded(stream.positions, source.shape[0])[images.batch[:, None], images.rows]
        positions = _put(positions, images.batch, rows, reduction.valid, _positions(reduction, cutting, tokens))
    return replace(
        stream,
        hidden=hidden,
        positions=positions,
        blocks=None if stream.blocks is None else stream.blocks.gather(1, source),
        valid=kept.gather(1, source) if padded else None,
        images=_images_left(images, reduction, slots, rows, cutting),
        queries=_queries_left(queries, kept, moved, source),
        lengths=lengths,
        removed=stream.removed + kept.shape[1] - length,
    )


def _positions(reduction: Reduction, cutting: Cutting, tokens: Tensor) -> Tensor:
    """Positions [G, K] or [G, K, 3] by the policy; a row without an anchor takes the mean of what it is made of."""
    taken = row_positions(cutting.positions, reduction, tokens)
    if cutting.anchored or cutting.positions in ("mean", "median"):
        return taken
    anchored = reduction.anchors >= 0
    return taken.where(on_axes(anchored, taken), row_positions("mean", reduction, tokens))


def _lengths(stream: Stream, images: Images, cutting: Cutting) -> tuple[int, ...]:
    """Rows left of each sequence, padding not counted."""
    left = list(stream.lengths)
    for batch, before, after in zip(images.sequences, images.counts, cutting.counts, strict=True):
        left[batch] -= before - after
    return tuple(left)


def _slots(reduction: Reduction, images: Images, *, anchored: bool) -> tuple[Tensor, Tensor | None]:
    """The token whose row each of the K rows takes, [G, K] into N, and which of the K exist (None: all).

    The rows of an image are filled from left to right. They are those of the anchors; a row without an anchor takes
    that of the first tokens that are given up.
    """
    if anchored and reduction.valid is None:
        return reduction.anchors.sort(dim=1).values, None
    count, tokens = reduction.anchors.shape[0], images.rows.shape[1]
    kept = reduction.anchors.shape[1]
    valid = reduction.valid
    taken = torch.zeros(count, tokens + 1, dtype=torch.bool, device=reduction.anchors.device)
    taken = taken.scatter(1, reduction.anchors.where(reduction.anchors >= 0, tokens), True)[:, :tokens]
    wanted = kept if valid is None else valid.sum(dim=1, keepdim=True)
    free = ~taken if images.valid is None else ~taken & images.valid
    taken = taken | (free & (free.cumsum(dim=1) <= wanted - taken.sum(dim=1, keepdim=True)))
    ascending = torch.argsort((~taken).to(torch.uint8), dim=1, stable=True)[:, :kept]
    if valid is None:
        return ascending, None
    rank = (valid.cumsum(dim=1) - 1).clamp(min=0)
    return ascending.gather(1, rank), valid


def _kept(stream: Stream, images: Images, slots: Tensor, slot_valid: Tensor | None) -> Tensor:
    """[B, L] bool: rows that stay. A spare column takes what must not be written."""
    batch, length = stream.hidden.shape[:2]
    kept = torch.ones(batch, length + 1, dtype=torch.bool, device=slots.device)
    if stream.valid is not None:
        kept = torch.cat([stream.valid, kept[:, :1]], dim=1)
    own = images.batch[:, None]
    gone = images.rows if images.valid is None else images.rows.where(images.valid, length)
    stays = images.rows.gather(1, slots)
    stays = stays if slot_valid is None else stays.where(slot_valid, length)
    kept = kept.index_put((own, gone), kept.new_zeros(()))
    return kept.index_put((own, stays), kept.new_ones(()))[:, :length]


def _moved(source: Tensor, length: int) -> Tensor:
    """The new row of every old one, [B, L]; rows that are gone get any."""
    target = torch.arange(source.shape[1], device=source.device).expand_as(source)
    return torch.zeros(source.shape[0], length, dtype=source.dtype, device=source.device).scatter(1, source, target)


def _put(into: Tensor, batch: Tensor, rows: Tensor, valid: Tensor | None, values: Tensor) -> Tensor:
    """Write values [G, K, …] to rows [G, K] of the sequences `batch` [G]; those not valid are left out. `into` was
    made here, and is written to where it stands.
    """
    if valid is None:
        return into.index_put_((batch[:, None], rows), values)
    spare = torch.cat([into, into[:, :1]], dim=1)
    return spare.index_put((batch[:, None], rows.where(valid, into.shape[1])), values)[:, :-1]


def _images_left(images: Images, reduction: Reduction, slots: Tensor, rows: Tensor, cutting: Cutting) -> Images:
    origin = reduction.anchors if cutting.anchored and reduction.valid is None else _origin(reduction, slots)
    return replace(
        images,
        rows=rows,
        valid=reduction.valid,
        sizes=reduction.sizes,
        index=images.index.gather(1, origin),
        counts=cutting.counts,
        later=reduced(images.later, reduction, rewrites=cutting.rewrites),
    )


def _origin(reduction: Reduction, slots: Tensor) -> Tensor:
    """The token that each row is known by, [G, K] into N: its anchor; rows without one are known by those of the slots
    that are no anchors', one each, in order.
    """
    empty = reduction.anchors < 0
    spoken_for = (slots[:, :, None] == reduction.anchors[:, None, :]).any(dim=2)
    if reduction.valid is not None:
        empty, spoken_for = empty & reduction.valid, spoken_for | ~reduction.valid
    free = slots.gather(1, torch.argsort(spoken_for.to(torch.uint8), dim=1, stable=True))
    rank = (empty.long().cumsum(dim=1) - 1).clamp(min=0)
    return reduction.anchors.clamp(min=0).where(~empty, free.gather(1, rank))


def _queries_left(queries: Queries, kept: Tensor, moved: Tensor, source: Tensor) -> Queries:
    last = queries.last[:, None]
    # a prompt may end with an image, and the image's last token may be gone: then the last row left is the one to ask
    last = moved.gather(1, last).where(kept.gather(1, last), source.shape[1] - 1)
    return Queries(
        last=last[:, 0],
        text=moved.gather(1, queries.text),
        text_after=queries.text_after,
        in_prompt=None if queries.in_prompt is None else queries.in_prompt.gather(1, source),
    )
