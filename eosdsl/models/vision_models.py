"""Encoder facts of the plain vision towers that vision-language families are built on: CLIP and SigLIP.

Configs on hubs leave out what equals the default of their `model_type`; the defaults here are those of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.models.config import Config
from eosdsl.models.facts import EncoderFacts

_BASE: dict[str, Any] = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "num_channels": 3,
    "image_size": 224,
}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "clip_vision_model": {**_BASE, "patch_size": 32},
    "siglip_vision_model": {**_BASE, "patch_size": 16},
}
# LLaVA's own defaults hold where the whole section is missing: CLIP ViT-L/14 at 336 pixels
CLIP_LARGE_336: Mapping[str, Any] = {
    "model_type": "clip_vision_model",
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
}


def vision_section(config: Config) -> Config:
    """`vision_config` with the defaults of its model type.

    Raises:
        SpecError: E0644 where the tower is of a type that is not known here.
    """
    if config.get("vision_config") is None:
        return Config(CLIP_LARGE_336, config.model, "vision_config.", DEFAULTS["clip_vision_model"])
    section = config.section("vision_config", "clip_vision_model")
    kind = section.get("model_type")
    if kind not in DEFAULTS:
        known = ", ".join(sorted(DEFAULTS))
        raise SpecError([error("E0644", f"the vision tower of {config.model} is a `{kind}`; known are {known}")])
    return section.with_defaults(DEFAULTS[kind])


def patch_grid(vision: Config) -> tuple[int, int]:
    """Rows and columns of patches of an image of the tower's own size."""
    (height, width), (patch, _) = vision.side("image_size"), vision.side("patch_size")
    return height // patch, width // patch


def layers_run(config: Config, layers: int) -> int:
    """How many of the tower's layers the selected features have passed: `vision_feature_layer` counts hidden states."""
    chosen = config.get("vision_feature_layer", -2)
    indices = chosen if isinstance(chosen, list) else [chosen]
    passed = [layers + 1 + i if isinstance(i, int) and i < 0 else i for i in indices]
    if not passed or not all(isinstance(i, int) and 0 <= i <= layers for i in passed):
        raise config.problem("vision_feature_layer", f"is {chosen!r}, but the tower has {layers} layers")
    return max(passed)


def encoder_facts(config: Config, vision: Config, tiles: int = 1) -> EncoderFacts:
    """Facts of the tower of `config`, for an image of so many tiles."""
    rows, columns = patch_grid(vision)
    layers = vision.count("num_hidden_layers")
    return EncoderFacts(
        layers=layers,
        layers_run=layers_run(config, layers),
        width=vision.count("hidden_size"),
        heads=vision.count("num_attention_heads"),
        mlp_width=vision.count("intermediate_size"),
        has_cls=vision.get("model_type") == "clip_vision_model",
        patch_size=vision.side("patch_size")[0],
        channels=vision.count("num_channels"),
        patches=tiles * rows * columns,
        tiles=tiles,
    )
