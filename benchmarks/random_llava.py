"""The model of the benchmarks: a LLaVA with random weights whose decoder decides how long everything takes."""

from __future__ import annotations

from typing import Any

import torch
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

IMAGE = 32000
"""The id of the placeholder of a visual token; text ids are below it."""


def build(width: int, layers: int, tokens: int, dtype: torch.dtype, device: str) -> Any:
    """So wide a decoder, so many layers and visual tokens (a square); the tower is small."""
    side = round(tokens**0.5)
    vision = CLIPVisionConfig(
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=14 * side,
        patch_size=14,
    )
    text = LlamaConfig(
        hidden_size=width,
        intermediate_size=int(width * 2.6875),
        num_hidden_layers=layers,
        num_attention_heads=max(width // 64, 1),
        vocab_size=IMAGE + 64,
    )
    model: Any = LlavaForConditionalGeneration(
        LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE)
    )
    return model.to(device=device, dtype=dtype).eval()
