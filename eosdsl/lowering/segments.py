"""Opening the segment of layers behind a reducer: masks, positions and cache state for rows that are other than
before.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.lowering.masks import bias_mask, segment_mask
from eosdsl.lowering.places import on_axes, reached
from eosdsl.lowering.row_state import Coming
from eosdsl.lowering.steps import Plan
from eosdsl.lowering.stream import Stream


def open_decoder(plan: Plan, entering: Stream, stream: Stream, cache: Any, config: Any, rotary: nn.Module) -> Stream:
    """The stream as the decoder layers from `plan.boundary` to `plan.last_layer` are called with it.

    entering: the stream in front of the reducer; `cache`, if any, is told what rows the layers are going to hold.
    """
    layers = [] if cache is None else cache.layers[plan.boundary : plan.last_layer + 1]
    first = None if cache is None or plan.boundary >= len(cache.layers) else cache.layers[plan.boundary]
    for layer in layers:
        layer.make_room(stream.removed)
    stream = replace(stream, strength=plan.strength or stream.strength)
    keep = _keep(first, stream)
    stream = _placed(plan, entering, stream, None if first is None else first.gap, rotary)
    if plan.last_layer < plan.boundary:
        return stream  # nothing runs before the next reducer
    bias = _bias(first, stream)
    stream = replace(stream, keys_positions=_keys_positions(plan, first, stream))
    mask = _masks(plan, config, stream, keep, bias, cache)
    coming = _coming(plan, stream, keep, bias)
    for layer in layers:
        layer.expect(coming)
    return replace(stream, attention_mask=mask, position_ids=None, keys_valid=keep, keys_bias=bias)


def _masks(plan: Plan, config: Any, stream: Stream, keep: Tensor | None, bias: Tensor | None, cache: Any) -> object:
    """The mask of the segment; where layers differ, one for each kind that is in it."""
    attending, first = plan.attending, plan.boundary
    if not attending.by_kind:
        return segment_mask(attending, config, stream, keep, bias, cache, first, first)
    asked = {attending.kind(layer): layer for layer in range(plan.last_layer, first - 1, -1)}
    return {
        kind: segment_mask(attending, config, stream, keep, bias, cache, first, layer) for kind, layer in asked.items()
    }


def open_tower(plan: Plan, stream: Stream, config: Any) -> Stream:
    """The stream as the tower's layers behind a reducer are called with it."""
    stream = replace(stream, strength=plan.strength or stream.strength)
    bias = own_bias(stream)
    mask = bias_mask(config, stream.hidden, stream.valid, bias)
    return replace(stream, attention_mask=mask, keys_valid=stream.valid, keys_bias=bias)


def ahead(plan: Plan, stream: Stream, state: Any) -> Stream:
    """The stream as a layer would be called with it that has not run yet: validity, bias and positions of the keys that
    it holds, and of the rows about to enter it.
    """
    if state is not None:
        state.make_room(stream.removed)
    return replace(
        stream,
        keys_valid=_keep(state, stream),
        keys_bias=_bias(state, stream),
        keys_positions=_keys_positions(plan, state, stream),
    )


def own_bias(stream: Stream) -> Tensor | None:
    """strength * log(size) of every row, float32 [B, L]; None where it is zero for all."""
    if not stream.strength or stream.images is None:
        return None
    images = stream.images
    sizes = torch.ones(stream.hidden.shape[:2], device=stream.hidden.device)
    own = images.sizes if images.valid is None else images.sizes.where(images.valid, sizes.new_ones(()))
    rows = images.rows if images.valid is None else images.rows.where(images.valid, sizes.shape[1])
    spare = torch.cat([sizes, sizes[:, :1]], dim=1)
    return spare.index_put((images.batch[:, None], rows), own)[:, :-1].log() * stream.strength


def _keep(state: Any, stream: Stream) -> Tensor | None:
    """Which keys count of all that a layer will hold, [B, T] bool, None: all."""
    if state is None:
        return stream.valid
    return state.over_keys(state.keep, stream.valid, tuple(stream.hidden.shape[:2]), True)


def _bias(state: Any, stream: Stream) -> Tensor | None:
    """What is added to the logits of those keys, [B, T] float32, None: nothing."""
    if state is None:
        return own_bias(stream)
    return state.over_keys(state.bias, own_bias(stream), tuple(stream.hidden.shape[:2]), 0.0)


def _keys_positions(plan: Plan, state: Any, stream: Stream) -> Tensor | None:
    """Positions of all keys that the layers of the segment will hold, [B, T] int64; None where no window asks."""
    if plan.attending.window is None:
        return None
    batch, rows = stream.hidden.shape[:2]
    own = stream.positions.expand(batch, rows)
    return own if state is None else state.over_keys(state.positions, own, (batch, rows), 0)


def _coming(plan: Plan, stream: Stream, keep: Tensor | None, bias: Tensor | None) -> Coming:
    """What the layers of a segment are told of the rows that come."""
    if stream.images is None:
        return Coming(keep, bias, positions=stream.keys_positions)
    gap = None
    if plan.renumbers:
        assert stream.given is not None
        gap = (reached(stream.given) - reached(stream.positions)).expand(stream.hidden.shape[0], 1)
    return Coming(keep, bias, stream.removed, stream.tail, gap, stream.keys_positions)


def _placed(plan: Plan, entering: Stream, stream: Stream, gap: Tensor | None, rotary: nn.Module) -> Stream:
    """Positions of the rows that are left, and rotary embeddings where they changed.

    gap [B, 1]: by how much positions of this segment fall short of those that forwards come with, None: not at all.
    """
    assert stream.given is not None
    if stream.images is None:
        given = stream.given
        stream = replace(stream, positions=given if gap is None else given - on_axes(gap, given))
    elif plan.site.bookkeeping.positions == "compact":
        stream = replace(stream, positions=on_axes(_compacted(stream, gap), stream.positions))
    if stream.positions is entering.positions:
        return stream
    return replace(stream, position_embeddings=plan.attending.rotations(rotary, stream.hidden, stream.positions))


def _compacted(stream: Stream, gap: Tensor | None) -> Tensor:
    """Positions [B, L] counted over the rows that are there, from that of the first of them or of what is in the
    cache; where positions have three axes, every axis is to hold this one.
    """
    batch, length = stream.hidden.shape[:2]
    assert stream.start is not None
    start = stream.start if gap is None else stream.start - gap
    rank = torch.arange(length, device=stream.hidden.device).expand(batch, length)
    if stream.valid is not None:
        rank = (stream.valid.long().cumsum(dim=1) - 1).clamp(min=0)
    return start + rank
