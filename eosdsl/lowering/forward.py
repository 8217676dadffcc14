"""The forward of the language model while an operator is attached: transformers' own, with the graph for its loop."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from eosdsl.lowering.attending import Attending
from eosdsl.lowering.build import Lowered
from eosdsl.lowering.cache import prepare_cache
from eosdsl.lowering.cache_name import CACHE
from eosdsl.lowering.devices import on
from eosdsl.lowering.images import Grid, Images, Layout
from eosdsl.lowering.late import AddLate, Late, all_rows, by_image
from eosdsl.lowering.masks import READY, entering_mask, made_ahead
from eosdsl.lowering.places import gathered, grids, incoming
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.static_cache import rows_before
from eosdsl.lowering.stream import Stream

ENTRY = "eosdsl_entry"
"""The keyword by which an `Entry` travels from the vision-language model to its language model."""


@dataclass(frozen=True)
class Entry:
    """What the language model is told of a call: `layout`, where it brings images; mask [B, T] of all rows, None where
    none is padding, for what the model itself is called with may be made ready; blocks [B, L] as in `Stream`; ahead:
    masks that `generate` made ahead, where the vision-language model would not take them.
    """

    layout: Layout | None = None
    mask: Tensor | None = None
    blocks: Tensor | None = None
    ahead: Mapping[str, Any] | None = None


def reduced_forward(lowered: Lowered) -> Callable[..., Any]:
    """A forward for the language model, to be bound to it."""
    graph, first_site = lowered.graph, lowered.first_site
    has_late = any(isinstance(module, AddLate) for module in graph.modules())

    @merge_with_config_defaults
    @capture_outputs
    def forward(
        self: Any,
        input_ids: Tensor | None = None,
        attention_mask: Any = None,
        position_ids: Tensor | None = None,
        past_key_values: Any = None,
        inputs_embeds: Tensor | None = None,
        use_cache: bool | None = None,
        **kwargs: Any,
    ) -> BaseModelOutputWithPast:
        cache = kwargs.pop(CACHE, past_key_values)
        if first_site is not None and ENTRY not in kwargs:
            refuse("E0432", "the language model was called past its vision-language model", "call the whole model")
        entry = kwargs.pop(ENTRY, Entry())
        if (input_ids is None) ^ (inputs_embeds is not None):
            raise ValueError("You must specify exactly one of input_ids or inputs_embeds")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        assert inputs_embeds is not None
        if use_cache and cache is None:
            cache = DynamicCache(config=self.config)
        if first_site is not None:
            prepare_cache(cache, first_site, len(self.layers), slides=lowered.attending.window is not None)
        stream = entering_stream(self, lowered.attending, inputs_embeds, attention_mask, position_ids, cache, entry)
        layout = _counted(entry.layout, lowered, stream)
        if layout is not None:
            stream = with_images(replace(stream, earlier=rows_before(cache)), layout)
        stream, late = with_late(stream, kwargs)
        called_with = layer_arguments(stream, cache, use_cache)
        if has_late:
            called_with["late"] = late
        if first_site is not None:
            called_with["stream"] = stream
        hidden = graph(inputs_embeds, **called_with)
        held: dict[str, Any] = {CACHE: cache}
        return BaseModelOutputWithPast(last_hidden_state=hidden, **held)

    return forward


def entering_stream(
    text: Any,
    attending: Attending,
    hidden: Tensor,
    attention_mask: Any,
    position_ids: Any,
    cache: Any,
    entry: Entry,
) -> Stream:
    """The stream in front of layer 0, and what transformers would call every layer with."""
    attention_mask = attention_mask if entry.ahead is None else entry.ahead
    if isinstance(attention_mask, Mapping) and READY in attention_mask:
        attention_mask = made_ahead(attention_mask)
    if position_ids is None:
        seen = cache.get_seq_length() if cache is not None else 0
        position_ids = (torch.arange(hidden.shape[1], device=hidden.device) + seen).unsqueeze(0)
    positions, counted = incoming(position_ids.to(hidden.device))
    mask = entering_mask(attending, text.config, hidden, attention_mask, cache, counted)
    keys_valid = None if entry.mask is None else entry.mask.to(hidden.device).bool()
    return Stream(
        hidden=hidden,
        attention_mask=mask,
        position_embeddings=attending.rotations(text.rotary_emb, hidden, positions),
        position_ids=counted,
        positions=positions,
        valid=None if keys_valid is None else keys_valid[:, -hidden.shape[1] :],
        keys_valid=keys_valid,
        given=positions,
        blocks=None if entry.blocks is None else entry.blocks.to(hidden.device),
    )


def with_late(stream: Stream, kwargs: dict[str, Any]) -> tuple[Stream, Late | None]:
    """The stream with the visual features that are added behind early layers, which transformers hands on in `kwargs`
    (they are taken out), and what is added in front of any reduction."""
    visual, features = kwargs.pop("visual_pos_masks", None), kwargs.pop("deepstack_visual_embeds", None)
    if stream.images is None:
        return stream, all_rows(visual, features)
    stream = replace(stream, images=replace(stream.images, later=by_image(stream.images, visual, features)))
    return stream, stream.late


def layer_arguments(stream: Stream, cache: Any, use_cache: bool | None) -> dict[str, Any]:
    """What the graph hands to every layer in front of a reduction."""
    return {
        "attention_mask": stream.attention_mask,
        "position_embeddings": stream.position_embeddings,
        "position_ids": stream.position_ids,
        "past_key_values": cache,
        "use_cache": use_cache,
    }


def _counted(layout: Layout | None, lowered: Lowered, stream: Stream) -> Layout | None:
    """The layout with what the schedule wants of each image, beside the rows."""
    if layout is None:
        return None
    layout = beside(layout, stream.hidden)
    in_tower = () if layout.arrival is None else layout.arrival.in_tower
    images = replace(layout.images, grids=_grids(layout.images, lowered, stream.positions), in_tower=in_tower)
    decided = ((),) * len(images.counts) if layout.arrival is None else layout.arrival.decided
    shaped = zip(images.originals, decided, images.shapes, images.towered, strict=True)
    wanted = tuple(lowered.recount(*one) for one in shaped)
    return replace(layout, images=replace(images, wanted=wanted, decided=decided))


def _grids(images: Images, lowered: Lowered, positions: Tensor) -> tuple[Grid, ...]:
    """The grids of images that may have any: positions of three axes tell them, where a reduction asks."""
    if positions.ndim == 2:
        return images.grids
    if not lowered.reads_grid:
        return (None,) * len(images.counts)
    return grids(positions, images.batch, images.rows, images.counts)


def beside(layout: Layout, hidden: Tensor) -> Layout:
    """The layout on the device of the rows; token ids, or the tower, may lie on another."""
    places = {layout.images.rows.device} | ({layout.arrival.places.device} if layout.arrival is not None else set())
    return layout if places == {hidden.device} else on(layout, hidden.device)


def with_images(stream: Stream, layout: Layout) -> Stream:
    """The stream of a forward that brings images."""
    return replace(
        stream,
        valid=layout.valid,
        start=_start(stream.positions, layout.valid),
        images=layout.images,
        queries=layout.queries,
        lengths=layout.lengths,
        tail=layout.tail,
        arrival=layout.arrival,
    )


def _start(positions: Tensor, valid: Tensor | None) -> Tensor:
    """The position of the first row that is not padding, [1 or B, 1]; of three axes it is the lowest."""
    first = positions[:, :1] if valid is None else gathered(positions, valid.int().argmax(dim=1, keepdim=True))
    return first if first.ndim == 2 else first.amin(dim=2)
