"""The forward of the language model while a relaxed program is attached."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor, fx
from transformers.modeling_outputs import BaseModelOutputWithPast
from transformers.utils.generic import merge_with_config_defaults
from transformers.utils.output_capturing import capture_outputs

from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cache_name import CACHE
from eosdsl.lowering.forward import ENTRY, entering_stream, layer_arguments, with_images, with_late
from eosdsl.lowering.images import Images
from eosdsl.lowering.late import AddLate
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.flow import Flow, through_layers
from eosdsl.lowering.relaxing.numbers import Number
from eosdsl.lowering.relaxing.reducer import biased
from eosdsl.lowering.relaxing.session import Session
from eosdsl.lowering.relaxing.stream import SoftStream
from eosdsl.lowering.stream import Stream


@dataclass(frozen=True)
class SoftDecoder:
    """The decoder's graph with relaxed reducers; `opens`: whether it has any. arriving: the strength of the bias with
    which features from the tower's output come, None without. encoder_layers: of the tower; others: rows of an image's
    features that no patch stands for; attending: how layers attend.
    """

    graph: fx.GraphModule
    opens: bool
    arriving: Number | None
    encoder_layers: int
    others: int
    attending: Attending = CAUSAL


def relaxed_forward(decoder: SoftDecoder, session: Session) -> Callable[..., Any]:
    """A forward for the language model, to be bound to it. All rows stay, nothing is cached."""

    has_late = any(isinstance(module, AddLate) for module in decoder.graph.modules())

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
        if ENTRY not in kwargs:
            refuse("E0432", "the language model was called past its vision-language model", "call the whole model")
        entry = kwargs.pop(ENTRY)
        if kwargs.pop(CACHE, past_key_values) is not None:
            refuse("E0521", "a cache is not supported while a program is relaxed", "leave `past_key_values` out")
        if inputs_embeds is None:
            inputs_embeds = self.embed_tokens(input_ids)
        assert inputs_embeds is not None
        plain = entering_stream(self, decoder.attending, inputs_embeds, attention_mask, position_ids, None, entry)
        if entry.layout is not None:
            plain = with_images(plain, entry.layout)
        plain, late = with_late(plain, kwargs)
        stream = _begun(decoder, soft_stream(plain, session.values), session, self.config)
        called_with = layer_arguments(stream, None, use_cache=False)
        if has_late:
            called_with["late"] = late
        if decoder.opens:
            called_with["stream"] = stream
        hidden = decoder.graph(inputs_embeds, **called_with)
        session.flow = _flow(decoder, stream, session, len(self.layers))
        return BaseModelOutputWithPast(last_hidden_state=hidden, **{CACHE: None})

    return forward


def soft_stream(stream: Stream, values: Values | None) -> SoftStream:
    """A stream with all of its tokens there."""
    every = {field.name: getattr(stream, field.name) for field in fields(Stream)}
    images = stream.images
    if images is None:
        return SoftStream(**every, base_mask=stream.attention_mask)
    return SoftStream(
        **every,
        log_presence=torch.zeros(images.rows.shape, device=images.rows.device),
        sizes=torch.ones(images.rows.shape, device=images.rows.device),
        base_mask=stream.attention_mask,
        unreduced=images.counts,
        values=values,
    )


def _begun(decoder: SoftDecoder, stream: SoftStream, session: Session, config: Any) -> SoftStream:
    """The stream in front of layer 0: with what the tower left of its images."""
    left = session.tower
    if left is None or stream.images is None or stream.values is None:
        return stream
    strength = 0.0 if decoder.arriving is None else decoder.arriving(stream.values)
    arrived = replace(stream, log_presence=left.log_presence, sizes=left.sizes, bias_strength=strength)
    return biased(arrived, config)


def _flow(decoder: SoftDecoder, stream: SoftStream, session: Session, layers: int) -> Flow | None:
    images = stream.images
    if images is None or stream.log_presence is None:
        return None
    entries = stream.ledger.entries
    first = _present(stream, images)
    in_layers, in_mlp = through_layers(first, entries, layers)
    tower, left = decoder.encoder_layers, session.tower
    patches = torch.full_like(first, float(left.patches if left is not None else stream.unreduced[0] - decoder.others))
    in_tower, in_tower_mlp = through_layers(patches, [] if left is None else left.ledger.entries, tower)
    return Flow(in_layers, in_mlp, in_tower, in_tower_mlp, first, stream.unreduced)


def _present(stream: SoftStream, images: Images) -> Tensor:
    assert stream.log_presence is not None
    presence = stream.log_presence.exp()
    return (presence if images.valid is None else presence * images.valid).sum(dim=1)
