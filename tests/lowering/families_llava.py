"""Families of the LLaVA kind: one placeholder run an image, of a length that follows it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from families import VIDEO, Family, Seen, noise, ready
from tiny_models import IMAGE, PAD

BREAK = 95
TEXT: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "initializer_range": 0.25,
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": None,
}
VISION: dict[str, Any] = {
    "hidden_size": 24,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": 16,
    "patch_size": 4,
    "initializer_range": 0.25,
}
CLIP, SIGLIP = ({**VISION, "model_type": f"{kind}_vision_model"} for kind in ("clip", "siglip"))
PIXTRAL: dict[str, Any] = {**VISION, "hidden_size": 32, "image_size": 32, "model_type": "pixtral"}
_PINPOINTS = [[16, 32], [32, 16], [32, 32]]
_SIZES = {"usual": (32, 32), "wide": (16, 32), "thin": (30, 20)}
_TILES = {"usual": 5, "wide": 3, "thin": 5}


def _built(name: str, config: dict[str, Any], attention: str) -> Any:
    import transformers

    torch.manual_seed(0)
    model = getattr(transformers, f"{name}ForConditionalGeneration")(getattr(transformers, f"{name}Config")(**config))
    return ready(model, attention)


def llava(attention: str) -> Any:
    config = {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": CLIP, "image_token_index": IMAGE}
    return _built("Llava", config, attention)


def vipllava(attention: str) -> Any:
    vision = {**CLIP, "num_hidden_layers": 4}
    config = {"text_config": {**TEXT, "model_type": "llama"}, "vision_config": vision, "image_token_index": IMAGE}
    return _built("VipLlava", {**config, "vision_feature_layers": [-2, 0, 2]}, attention)


def llava_next(attention: str) -> Any:
    text = {**TEXT, "model_type": "mistral", "sliding_window": None}
    config = {"text_config": text, "vision_config": CLIP, "image_token_index": IMAGE}
    return _built("LlavaNext", {**config, "image_grid_pinpoints": _PINPOINTS}, attention)


def llava_onevision(attention: str) -> Any:
    config = {"text_config": {**TEXT, "model_type": "qwen2"}, "vision_config": SIGLIP, "image_token_index": IMAGE}
    more = {"image_grid_pinpoints": _PINPOINTS, "video_token_index": VIDEO}
    return _built("LlavaOnevision", {**config, **more}, attention)


def pixtral(attention: str) -> Any:
    text = {**TEXT, "model_type": "mistral", "sliding_window": None}
    selects = {"vision_feature_layer": -1, "vision_feature_select_strategy": "full", "image_token_index": IMAGE}
    return _built("Llava", {"text_config": text, "vision_config": PIXTRAL, **selects}, attention)


def mistral3(attention: str) -> Any:
    text = {**TEXT, "model_type": "mistral", "sliding_window": None}
    config = {"text_config": text, "vision_config": PIXTRAL, "image_token_index": IMAGE}
    return _built("Mistral3", config, attention)


def mistral3_sliding(attention: str) -> Any:
    """All layers slide, over less than an image."""
    text = {**TEXT, "model_type": "mistral", "sliding_window": 10}
    config = {"text_config": text, "vision_config": PIXTRAL, "image_token_index": IMAGE}
    return _built("Mistral3", config, attention)


def _square(_: str, seed: int) -> Seen:
    return Seen(16, {"pixel_values": noise((1, 3, 16, 16), seed)})


def _next_tokens(name: str) -> int:
    """The base view; the tiles without their padding, and a newline behind every row."""
    rows, columns = {"usual": (8, 8), "wide": (4, 8), "thin": (8, 6)}[name]
    return 16 + rows * (columns + 1)


def _tiles(name: str, seed: int) -> Seen:
    if name == "video":
        frames = noise((1, 3, 3, 16, 16), seed)
        return Seen(3 * 4 + 1, {"pixel_values_videos": frames}, VIDEO)
    pixels = noise((1, 5, 3, 16, 16), seed)
    pixels[:, _TILES[name] :] = 0
    return Seen(_next_tokens(name), {"pixel_values": pixels, "image_sizes": torch.tensor([_SIZES[name]])})


def _any_size(merge: int) -> Callable[[str, int], Seen]:
    """Rows of placeholders with a token of the text behind each."""

    def see(name: str, seed: int) -> Seen:
        height, width = {"usual": (32, 32), "wide": (16, 32), "thin": (24, 16)}[name]
        rows, columns = height // 4 // merge, width // 4 // merge
        pixels = torch.zeros(1, 3, 32, 32)
        pixels[:, :, :height, :width] = noise((1, 3, height, width), seed)
        inputs = {"pixel_values": pixels, "image_sizes": torch.tensor([[height, width]])}
        return Seen(rows * columns, inputs, ids=(*[IMAGE] * columns, BREAK) * rows)

    return see


LLAVA_FAMILIES = {
    family.name: family
    for family in (
        Family("llava", llava, _square),
        Family("vipllava", vipllava, _square),
        Family("llava_next", llava_next, _tiles, others=("wide", "thin")),
        Family("llava_onevision", llava_onevision, _tiles, others=("wide", "thin", "video")),
        Family("pixtral", pixtral, _any_size(1), others=("wide", "thin")),
        Family("mistral3", mistral3, _any_size(2), others=("wide", "thin")),
        Family("mistral3_sliding", mistral3_sliding, _any_size(2), others=("wide", "thin")),
    )
}
