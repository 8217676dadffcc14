"""What the plan takes for an image, against what transformers' own processors make of one of that size.

Settings are the models' configs where they say so, otherwise the processors' defaults and sizes as they are known; the
checkpoints' `preprocessor_config.json` were out of reach and have not been read.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import transformers
from PIL import Image

from eosdsl.models.find import find_model
from eosdsl.models.profiles import shipped
from eosdsl.models.registry import facts

Counts = Callable[[dict[str, Any], int], int]
"""Tokens of a square image of a side, from the model's config."""


def crop(config: dict[str, Any], side: int) -> int:
    """LLaVA-1.5, ViP-LLaVA: resized and cropped to the tower's square."""
    at = config["vision_config"]["image_size"]
    pixels = transformers.CLIPImageProcessorPil(size={"shortest_edge": at}, crop_size={"height": at, "width": at})
    height, width = pixels(_square(side), return_tensors="pt")["pixel_values"].shape[-2:]
    return int(height) * int(width) // config["vision_config"]["patch_size"] ** 2


def views(config: dict[str, Any], side: int) -> int:
    """LLaVA-NeXT: the base view with its CLS token taken off, tiles and newlines."""
    at = config["vision_config"]["image_size"]
    maker: Any = transformers.LlavaNextProcessor
    given = SimpleNamespace(
        image_processor=SimpleNamespace(image_grid_pinpoints=config["image_grid_pinpoints"]),
        patch_size=config["vision_config"]["patch_size"],
        num_additional_image_tokens=1,
    )
    given._get_unpadded_features = maker._get_unpadded_features.__get__(given)
    return maker._get_number_of_features(given, side, side, at, at) - 1


def onevision(config: dict[str, Any], side: int) -> int:
    at, patch = (config["vision_config"][key] for key in ("image_size", "patch_size"))
    maker: Any = transformers.LlavaOnevisionProcessor
    given = SimpleNamespace(
        image_processor=SimpleNamespace(image_grid_pinpoints=config["image_grid_pinpoints"]),
        num_image_tokens=(at // patch) ** 2,
        vision_aspect_ratio=config["vision_aspect_ratio"],
    )
    given._get_unpadded_features = maker._get_unpadded_features.__get__(given)
    return maker._get_number_of_features(given, side, side, at, at)


def tiles(config: dict[str, Any], side: int) -> int:
    """InternVL, Aya Vision: up to twelve tiles and a thumbnail, pixel shuffle."""
    at, patch = (config["vision_config"][key] for key in ("image_size", "patch_size"))
    at, patch = (one if isinstance(one, int) else one[0] for one in (at, patch))
    pixels: Any = transformers.GotOcr2ImageProcessorPil(
        size={"height": at, "width": at}, max_patches=12, min_patches=1, crop_to_patches=True
    )
    found = len(pixels(_square(side), return_tensors="pt")["pixel_values"])
    return found * (at // patch // 2) ** 2


def split(kind: str, longest: int) -> Counts:
    """Idefics3, SmolVLM: tiles and the whole image."""

    def count(config: dict[str, Any], side: int) -> int:
        at, patch = (config["vision_config"][key] for key in ("image_size", "patch_size"))
        make = getattr(transformers, f"{kind}ImageProcessorPil")
        pixels = make(size={"longest_edge": longest}, max_image_size={"longest_edge": at})
        found = pixels(_square(side), return_tensors="pt")["pixel_values"].shape[1]
        return int(found) * (at // patch // config["scale_factor"]) ** 2

    return count


def rows(merge: int) -> Counts:
    """Pixtral, Mistral 3: any number of rows; the tokens behind them are not counted."""

    def count(config: dict[str, Any], side: int) -> int:
        at, patch = (config["vision_config"][key] for key in ("image_size", "patch_size"))
        step = patch * merge
        pixels = transformers.PixtralImageProcessorPil(
            size={"longest_edge": at}, patch_size={"height": step, "width": step}
        )
        ((height, width),) = pixels(_square(side), return_tensors="pt")["image_sizes"]
        return int(height) // step * (int(width) // step)

    return count


def merged(config: dict[str, Any], side: int) -> int:
    """Qwen-VL: between 56 by 56 and 12.8 million pixels as they are, rounded to whole groups of 2 by 2 patches."""
    patch = config["vision_config"].get("patch_size", 14)
    pixels: Any = transformers.Qwen2VLImageProcessorPil(
        patch_size=patch, size={"shortest_edge": 3136, "longest_edge": 12845056}
    )
    return pixels.get_number_of_image_patches(side, side, {}) // 4


def told(config: dict[str, Any], _: int) -> int:
    """Gemma 3: as many as the processor is told."""
    return inspect.signature(transformers.Gemma3Processor.__init__).parameters["image_seq_length"].default


def square(config: dict[str, Any], side: int) -> int:
    """PaliGemma: resized to the tower's square."""
    at = config["vision_config"]["image_size"]
    pixels = transformers.SiglipImageProcessorPil(size={"height": at, "width": at})
    height, width = pixels(_square(side), return_tensors="pt")["pixel_values"].shape[-2:]
    return int(height) * int(width) // config["vision_config"]["patch_size"] ** 2


USUAL: dict[str, tuple[Counts, int, int]] = {
    "llava-1.5-7b": (crop, 336, 576),
    "llava-1.5-13b": (crop, 800, 576),
    "vip-llava-7b": (crop, 500, 576),
    "llava-1.6-vicuna-7b": (views, 672, 2928),
    "llava-1.6-mistral-7b": (views, 672, 2928),
    "llava-onevision-7b": (onevision, 768, 3699),
    "internvl3-8b": (tiles, 896, 1280),
    "aya-vision-8b": (tiles, 728, 845),
    "idefics3-8b": (split("Idefics3", 4 * 364), 1456, 2873),
    "smolvlm-2b": (split("SmolVLM", 4 * 384), 1536, 1377),
    "pixtral-12b": (rows(1), 1024, 4096),
    "mistral-small-3.1-24b": (rows(2), 1540, 3025),
    "qwen2-vl-7b": (merged, 672, 576),
    "qwen2.5-vl-3b": (merged, 672, 576),
    "qwen2.5-vl-7b": (merged, 672, 576),
    "qwen3-vl-8b": (merged, 672, 441),
    "gemma3-4b": (told, 896, 256),
    "paligemma-3b": (square, 500, 256),
}


def _square(side: int) -> Image.Image:
    return Image.new("RGB", (side, side), (90, 120, 40))


@pytest.mark.parametrize("name", USUAL)
def test_the_usual_image_is_what_the_processor_makes_of_it(name: str) -> None:
    count, side, tokens = USUAL[name]
    assert count(dict(find_model(name).config), side) == tokens == facts(name).visual_tokens


def test_every_shipped_model_with_a_decoder_is_there() -> None:
    assert USUAL.keys() == {one.name for one in shipped().values() if facts(one.name).decoder.layers}
