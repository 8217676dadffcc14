"""The models of the benchmarks: LLaVAs with random weights, in which the decoder decides how long everything takes."""

from __future__ import annotations

import argparse
import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import CLIPVisionConfig, LlamaConfig, LlavaConfig, LlavaForConditionalGeneration

IMAGE = 32000
"""The id of the placeholder of a visual token; text ids are below it."""
TEXT = 64
"""Rows of text in a prompt."""


@dataclass(frozen=True)
class Shape:
    """Width and layers of decoder and vision tower; visual tokens of an image, a square."""

    width: int
    layers: int
    tokens: int
    tower_width: int = 64
    tower_layers: int = 2


SHAPES = {
    "tiny": Shape(64, 8, 144, 32, 4),
    "small": Shape(1024, 16, 576, 512, 8),
    "half": Shape(512, 8, 576, 256, 4),
    "7b": Shape(4096, 32, 576, 1024, 24),
}


def shape_of(given: argparse.Namespace, small: str = "small") -> Shape:
    """The shape that a benchmark was told; `small`: what it takes for small."""
    return SHAPES["tiny" if given.tiny else small if given.size == "small" else given.size]


def build(
    width: int,
    layers: int,
    tokens: int,
    dtype: torch.dtype,
    device: str,
    tower_width: int = 64,
    tower_layers: int = 2,
) -> Any:
    """So wide a decoder, so many layers and visual tokens (a square), and such a tower."""
    side = round(tokens**0.5)
    vision = CLIPVisionConfig(
        hidden_size=tower_width,
        intermediate_size=4 * tower_width,
        num_hidden_layers=tower_layers,
        num_attention_heads=max(tower_width // 64, 1),
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
    config = LlavaConfig(vision_config=vision, text_config=text, image_token_index=IMAGE)
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:  # made where and as they are wanted: a float32 copy of 7B first would take 28 GB of main memory
        with torch.device(device):
            model: Any = LlavaForConditionalGeneration(config)
    finally:
        torch.set_default_dtype(before)
    return model.to(dtype=dtype).eval()


def build_shape(shape: Shape, dtype: str, device: str) -> Any:
    """The model of a shape."""
    kind = getattr(torch, dtype)
    return build(shape.width, shape.layers, shape.tokens, kind, device, shape.tower_width, shape.tower_layers)


def twin(model: Any) -> Any:
    """Another model object over the same weights: what is attached to one is not seen on the other."""
    shared = {id(one): one for one in (*model.parameters(), *model.buffers())}
    return copy.deepcopy(model, shared)


def prompt(model: Any, tokens: int, *, text: int = TEXT, front: int = 8) -> dict[str, Tensor]:
    """One prompt: `front` rows of text, an image, and the rest of `text`; with the image's pixels."""
    ids = torch.randint(5, IMAGE - 1, (1, text))
    ids = torch.cat([ids[:, :front], torch.full((1, tokens), IMAGE), ids[:, front:]], dim=1)
    size = model.config.vision_config.image_size
    pixels = torch.randn(1, 3, size, size)
    return {"input_ids": ids.to(model.device), "pixel_values": pixels.to(model.device, model.dtype)}


@torch.no_grad()
def encoded(model: Any, inputs: dict[str, Any]) -> dict[str, Any]:
    """The same prompt with its image encoded ahead, so that a forward is the decoder's alone."""
    features = model.get_image_features(pixel_values=inputs["pixel_values"], return_dict=True)
    rest = {name: value for name, value in inputs.items() if name != "pixel_values"}
    return {**rest, "mm_encoder_outputs": {"image": features}}
