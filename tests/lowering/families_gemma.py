"""Families whose images see themselves in both directions, on decoders of the Gemma kind."""

from __future__ import annotations

from typing import Any

import torch
from families import END, START, Family, Seen, noise, ready
from families_llava import SIGLIP, TEXT
from tiny_models import IMAGE

_SLIDES = ["sliding_attention", "sliding_attention", "full_attention", "sliding_attention", "full_attention"]
_GEMMA: dict[str, Any] = {**TEXT, "head_dim": 8}


def _paligemma(text: dict[str, Any], attention: str) -> Any:
    from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration

    torch.manual_seed(0)
    config = PaliGemmaConfig(
        text_config={**_GEMMA, **text},
        vision_config={**SIGLIP, "projection_dim": 32},
        projection_dim=32,
        hidden_size=32,
        image_token_index=IMAGE,
    )
    return ready(PaliGemmaForConditionalGeneration(config), attention)


def paligemma(attention: str) -> Any:
    return _paligemma({"model_type": "gemma"}, attention)


def paligemma2(attention: str) -> Any:
    """Gemma 2: layers slide by turns, logits are bent; a window does not cut the prefix."""
    slides = {"sliding_window": 10, "query_pre_attn_scalar": 8, "attn_logit_softcapping": 5.0}
    return _paligemma({"model_type": "gemma2", **slides}, attention)


def gemma3(attention: str) -> Any:
    """Windows of less than an image, which cut images too; masks and rotary embeddings by kind of layer."""
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration

    torch.manual_seed(0)
    text = {**_GEMMA, "sliding_window": 10, "layer_types": _SLIDES, "query_pre_attn_scalar": 8}
    vision = {**SIGLIP, "image_size": 32}
    config = Gemma3Config(text_config=text, vision_config=vision, mm_tokens_per_image=16, image_token_index=IMAGE)
    model: Any = Gemma3ForConditionalGeneration(config)
    model.model.multi_modal_projector.mm_input_projection_weight.data.normal_(0, 0.25)
    return ready(model, attention)


def _seen(side: int) -> Any:
    return lambda _, seed: Seen(16, {"pixel_values": noise((1, 3, side, side), seed)})


GEMMA_FAMILIES = {
    family.name: family
    for family in (
        Family("paligemma", paligemma, _seen(16), types="prefix"),
        Family("paligemma2", paligemma2, _seen(16), types="prefix", attentions=("eager",)),
        Family("gemma3", gemma3, _seen(32), wraps=(START, END), types="images"),
    )
}
