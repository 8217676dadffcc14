"""The reducer module that stands in the graph at one site of the decoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import SiteReduction
from eosdsl.lowering.cache import joined
from eosdsl.lowering.cut import Cutting, cut
from eosdsl.lowering.images import Images
from eosdsl.lowering.masks import segment_mask
from eosdsl.lowering.probes import Readings, View, layer_of, read
from eosdsl.lowering.stream import Stream
from eosdsl.operators.base import Probe, Tokens
from eosdsl.operators.bound import GroupOperators, bind_groups
from eosdsl.operators.needs import probes as probes_of
from eosdsl.operators.reduce import reduce_bound

Past = Mapping[int, tuple[Tensor, Stream]]
"""By decoder layer: the hidden state that entered it, and the stream there."""


@dataclass(frozen=True)
class Plan:
    """What a reducer knows ahead. `place`: of its site among the reductions of the schedule; `last_layer`: of the
    segment it opens; `strength` of the bias by log size from here on; `grid` of an unreduced image, rows by columns.
    """

    site: SiteReduction
    place: int
    last_layer: int
    strength: float
    grid: tuple[int, int] | None

    @property
    def layer(self) -> int:
        return self.site.site.layer


class Reducer(nn.Module):
    """Reduces the images of a forward on entry to a decoder layer, and opens the segment of layers behind it.

    A forward that brings no image (decoding, a second turn) only passes: its rows meet the cache of this segment, so
    mask and positions are made anew. No state is kept here.
    """

    def __init__(self, plan: Plan, config: Any, rotary: nn.Module, layers: Mapping[int, nn.Module]) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.rotary = rotary
        self.groups: tuple[GroupOperators, ...] = bind_groups(plan.site.groups)
        self.probes: tuple[Probe, ...] = tuple(sorted(probes_of(plan.site.groups), key=repr))
        self.looked_at = nn.ModuleDict({str(layer): layers[layer] for layer in self.layers_read()})
        self.absorbs = any(group.absorbs for group in self.groups)

    def layers_read(self) -> tuple[int, ...]:
        """Decoder layers that scores and similarities look into."""
        return tuple(sorted({layer_of(probe, self.plan.layer) for probe in self.probes}))

    def extra_repr(self) -> str:
        return f"layer={self.plan.layer}, retains={self.plan.site.retained} of {self.plan.site.incoming}"

    def forward(self, stream: Stream, hidden: Tensor, past: Past, past_key_values: Any) -> Stream:
        """hidden [B, L, D] entering the layer → the stream of the segment, with its `hidden` [B, L', D]."""
        entering = replace(stream, hidden=hidden)
        reduced = (
            entering if entering.images is None else self._reduce(entering, entering.images, past, past_key_values)
        )
        return self._open(entering, reduced, past_key_values)

    def _reduce(self, stream: Stream, images: Images, past: Past, cache: Any) -> Stream:
        wanted = [of_image[self.plan.place] for of_image in images.wanted]
        counts = tuple(min(sum(own), now) for own, now in zip(wanted, images.counts, strict=True))
        if counts == images.counts and not self._reorders():
            return stream
        tokens = self._tokens(stream, images, self._read(stream, images, past, cache))
        order = self.plan.site.bookkeeping.order
        reduction = reduce_bound(self.groups, order, tokens, _per_group(wanted, images))
        cutting = Cutting(self.absorbs or self._reorders(), self.plan.site.bookkeeping.positions, counts)
        left = cut(stream, reduction, cutting)
        assert left.images is not None
        return replace(left, images=replace(left.images, ascending=images.ascending and not self._reorders()))

    def _reorders(self) -> bool:
        return self.plan.site.bookkeeping.order != "position"

    def _read(self, stream: Stream, images: Images, past: Past, cache: Any) -> Readings:
        views = {layer: self._view(layer, stream, past, cache) for layer in self.layers_read()}
        return read(self.probes, views, self.plan.layer, images)

    def _view(self, layer: int, stream: Stream, past: Past, cache: Any) -> View:
        hidden, then = past.get(layer, (stream.hidden, stream))
        ran = layer in past
        state = None if cache is None else cache.layers[layer]
        held = None if state is None or not state.is_initialized else (state.keys, state.values)
        keep, bias = (then.keys_valid, then.keys_bias) if ran else _ahead(stream, state)
        return View(self.looked_at[str(layer)], hidden, then, held, ran, keep, bias)

    def _tokens(self, stream: Stream, images: Images, readings: Readings) -> Tokens:
        grid = self.plan.grid
        whole = grid is not None and all(original == grid[0] * grid[1] for original in images.originals)
        return Tokens(
            hidden=stream.hidden[images.batch[:, None], images.rows],
            sizes=images.sizes,
            index=images.index,
            valid=images.valid,
            keys=readings.keys,
            values=readings.values,
            attention=readings.attention,
            grid=grid if whole else None,
            ascending=images.ascending,
        )

    def _open(self, entering: Stream, stream: Stream, cache: Any) -> Stream:
        """Masks, positions and cache state for the layers up to the next site."""
        first = None if cache is None else cache.layers[self.plan.layer]
        held = 0 if first is None else first.held
        like = (stream.hidden.shape[0], stream.hidden.shape[1])
        stream = replace(stream, strength=self.plan.strength or stream.strength)
        keep = joined(None if first is None else first.keep, stream.valid, held, like, True)
        bias = joined(None if first is None else first.bias, _own_bias(stream), held, like, 0.0)
        mask = segment_mask(self.config, stream.hidden, keep, bias, cache, self.plan.layer)
        tail = None if stream.images is None else stream.tail
        for layer in self._cache_layers(cache):
            layer.expect(keep, bias, stream.removed, tail)
        stream = self._placed(entering, stream, keep, held)
        return replace(stream, attention_mask=mask, position_ids=None, keys_valid=keep, keys_bias=bias)

    def _cache_layers(self, cache: Any) -> list[Any]:
        return [] if cache is None else cache.layers[self.plan.layer : self.plan.last_layer + 1]

    def _placed(self, entering: Stream, stream: Stream, keep: Tensor | None, held: int) -> Stream:
        """Rotary embeddings for the rows that are left, where they changed."""
        if self.plan.site.bookkeeping.positions == "compact":
            stream = replace(stream, positions=_compacted(stream, keep, held))
        if stream.positions is entering.positions:
            return stream
        cos, sin = self.rotary(stream.hidden, position_ids=stream.positions)
        return replace(stream, position_embeddings=(cos, sin))


def _per_group(wanted: Sequence[tuple[int, ...]], images: Images) -> list[Tensor | int]:
    """Anchors per group: one number where all images are alike, else one per image, on the host."""
    if images.valid is None and len(set(wanted)) == 1:
        return list(wanted[0])
    return [torch.tensor(own) for own in zip(*wanted, strict=True)]


def _ahead(stream: Stream, state: Any) -> tuple[Tensor | None, Tensor | None]:
    """Validity and bias of the keys that a layer holds which has not run yet, and of the rows about to enter it."""
    held = 0 if state is None else state.held
    like = (stream.hidden.shape[0], stream.hidden.shape[1])
    keep = joined(None if state is None else state.keep, stream.valid, held, like, True)
    return keep, joined(None if state is None else state.bias, _own_bias(stream), held, like, 0.0)


def _own_bias(stream: Stream) -> Tensor | None:
    """strength * log(size) of every row, float32 [B, L]; None where it is zero for all."""
    if not stream.strength or stream.images is None:
        return None
    images = stream.images
    sizes = torch.ones(stream.hidden.shape[:2], device=stream.hidden.device)
    own = images.sizes if images.valid is None else images.sizes.where(images.valid, sizes.new_ones(()))
    rows = images.rows if images.valid is None else images.rows.where(images.valid, sizes.shape[1])
    spare = torch.cat([sizes, sizes[:, :1]], dim=1)
    return spare.index_put((images.batch[:, None], rows), own)[:, :-1].log() * stream.strength


def _compacted(stream: Stream, keep: Tensor | None, held: int) -> Tensor:
    """Positions [B, L] counted over the rows that are there, those in the cache included."""
    batch, length = stream.hidden.shape[:2]
    if keep is None:
        return torch.arange(held, held + length, device=stream.hidden.device).expand(batch, length)
    return (keep.long().cumsum(dim=1) - 1).clamp(min=0)[:, -length:]


def bias_strength(site: SiteReduction) -> float:
    """The strength of `attention_bias`, 0.0 where there is none."""
    strength = site.bookkeeping.attention_bias.strength
    return float(strength.value) if isinstance(strength, Quantity) else 0.0
