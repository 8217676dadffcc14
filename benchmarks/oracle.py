"""The limit: the layers of a model run on rows that were taken out beforehand, for free.

No scores, no masks, no gathering; what is measured against it is what those cost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

from eosdsl.cost.account import Cost, full_cost, schedule_cost
from eosdsl.lowering.compile import Compiled
from eosdsl.passes.infer_tokens import LayerTokens


def costs_of(compiled: Compiled, text: int) -> tuple[Cost, Cost]:
    """The tokens in every layer with the operator, and without."""
    schedule = compiled.schedule
    return schedule_cost(schedule, text, 1), full_cost(schedule.model, text, 1)


def decoder_oracle(model: Any, tokens: Sequence[LayerTokens], text: int) -> Callable[[], Any]:
    """The decoder and the head on rows cut to so many visual tokens in each layer, the cut itself for free."""
    decoder = model.model.language_model
    entering = [one.entering for one in tokens]
    rows = {n: torch.randn(1, n + text, decoder.config.hidden_size).to(model.device, model.dtype) for n in entering}
    places = {n: torch.arange(n + text, device=model.device)[None] for n in rows}

    def run() -> Any:
        cache = DynamicCache(config=decoder.config)
        ropes = {n: decoder.rotary_emb(rows[n], places[n]) for n in rows}
        hidden, before = rows[entering[0]], entering[0]
        for layer, now in zip(decoder.layers, entering, strict=True):
            hidden = hidden if now == before else rows[now]
            before = now
            hidden = layer(
                hidden, attention_mask=None, position_embeddings=ropes[now], past_key_values=cache, use_cache=True
            )
        return model.lm_head(decoder.norm(hidden)[:, -1:])

    return run


def tower_oracle(model: Any, tokens: Sequence[LayerTokens], features: int, pixels: Tensor) -> Callable[[], Any]:
    """The vision tower on CLS and so many patches in each layer, and the projector on so many features."""
    tower, layers = model.model.vision_tower, model.model.vision_tower.encoder.layers
    with_cls = [(one.entering + 1, one.in_mlp + 1) for one in tokens]
    counts = {features, *(n for both in with_cls for n in both)}
    rows = {n: torch.randn(1, n, tower.config.hidden_size).to(model.device, model.dtype) for n in counts}

    def run() -> Any:
        hidden = tower.pre_layrnorm(tower.embeddings(pixels))
        for layer, (entering, in_mlp) in zip(layers, with_cls, strict=True):
            hidden = hidden if hidden.shape[1] == entering else rows[entering]
            if entering == in_mlp:
                hidden = layer(hidden, None)
                continue
            layer.self_attn(hidden_states=layer.layer_norm1(hidden), attention_mask=None)
            hidden = rows[in_mlp]
            hidden = hidden + layer.mlp(layer.layer_norm2(hidden))
        return model.model.multi_modal_projector(rows[features])

    return run


def whole_oracle(model: Any, cost: Cost, text: int, pixels: Tensor) -> Callable[[], Any]:
    """Tower, projector and decoder."""
    tower = tower_oracle(model, cost.encoder, cost.decoder[0].entering, pixels)
    decoder = decoder_oracle(model, cost.decoder, text)

    def run() -> Any:
        tower()
        return decoder()

    return run
