"""Costs of a schedule, and of the same model without reduction: one prompt's prefill, part by part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

from pydantic import BaseModel, ConfigDict, computed_field

from eosdsl.cost.counts import Count
from eosdsl.cost.flops import Rows, decoder_macs, head_macs, projector_macs, tower_macs
from eosdsl.cost.kv_cache import kv_cache_bytes
from eosdsl.cost.reducers import reducers_macs
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.models.facts import EncoderFacts, ModelFacts
from eosdsl.passes.infer_tokens import LayerTokens, layer_tokens, token_flow, usual_image


class Macs(BaseModel):
    """Multiply-accumulates of one prefill.

    `decoder` is over the whole prompt, `decoder_visual` over visual tokens alone (as papers print it; no part of the
    total).
    """

    model_config = ConfigDict(frozen=True)

    decoder: int
    decoder_visual: int
    tower: int
    projector: int
    reducers: int
    head: int

    @computed_field
    @property
    def total(self) -> int:
        """Decoder, tower, projector, reducers and head."""
        return self.decoder + self.tower + self.projector + self.reducers + self.head


@dataclass(frozen=True)
class DecoderCost(Generic[Count]):
    """The decoder over one prompt: multiply-accumulates, those over visual tokens alone, and bytes of cache."""

    macs: Count
    visual_macs: Count
    kv_cache_bytes: Count


def decoder_cost(facts: ModelFacts, visual: Sequence[Rows[Count]], text_tokens: int, images: int) -> DecoderCost[Count]:
    """What the decoder costs with so many visual tokens of an image in every layer."""
    of_images = [Rows(images * one.attention, images * one.mlp) for one in visual]
    prompt = [Rows(text_tokens + one.attention, text_tokens + one.mlp) for one in of_images]
    return DecoderCost(
        decoder_macs(facts.decoder, prompt),
        decoder_macs(facts.decoder, of_images),
        kv_cache_bytes(facts.decoder, [rows.attention for rows in prompt], facts.dtype_bytes),
    )


@dataclass(frozen=True)
class Cost:
    """One prefill: multiply-accumulates, bytes of cache, and the tokens of an image in every layer."""

    macs: Macs
    kv_cache_bytes: int
    decoder: tuple[LayerTokens, ...]
    encoder: tuple[LayerTokens, ...]

    @property
    def main(self) -> tuple[LayerTokens, ...]:
        """The layers that tokens are counted over: the decoder's, or those of an encoder that has none behind it."""
        return self.decoder or self.encoder


def schedule_cost(schedule: Schedule, text_tokens: int, images: int, *, least: bool = False) -> Cost:
    """The cost of a schedule; where budgets adapt to the image the highest, or with `least` the lowest."""
    return _cost(schedule.reductions, schedule.model, text_tokens, images, least)


def full_cost(facts: ModelFacts, text_tokens: int, images: int) -> Cost:
    """The cost of the model as it is."""
    return _cost((), facts, text_tokens, images, least=False)


def _tower(encoder: EncoderFacts, patches: int, layers: Sequence[LayerTokens]) -> int:
    return tower_macs(encoder, patches, [Rows(one.entering, one.in_mlp) for one in layers])


def _cost(reductions: Sequence[SiteReduction], facts: ModelFacts, text_tokens: int, images: int, least: bool) -> Cost:
    image = usual_image(facts)
    flow = token_flow(reductions, image, least=least)
    decoder = layer_tokens(reductions, flow, image, "decoder", facts.decoder.layers)
    encoder = layer_tokens(reductions, flow, image, "encoder", facts.encoder.layers if facts.encoder else 0)
    towards = [f.retained for r, f in zip(reductions, flow, strict=True) if r.site.stream != "decoder"]
    projected = image.visual(towards[-1]) if towards else image.original
    layers = decoder_cost(facts, [Rows(t.entering, t.in_mlp) for t in decoder], text_tokens, images)
    macs = Macs(
        decoder=layers.macs,
        decoder_visual=layers.visual_macs,
        tower=images * _tower(facts.encoder, image.patches, encoder) if facts.encoder else 0,
        projector=images * projector_macs(facts, projected),
        reducers=reducers_macs(reductions, facts, text_tokens, images),
        head=head_macs(facts.decoder),
    )
    return Cost(macs, layers.kv_cache_bytes, decoder, encoder)
