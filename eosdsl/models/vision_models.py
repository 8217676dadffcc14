"""Encoder facts of the vision towers that vision-language families are built on: CLIP, SigLIP and their kin.

Configs on hubs leave out what equals the default of their `model_type`; the defaults here are those of transformers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
_DINOV2 = {key: size for key, size in _BASE.items() if key != "intermediate_size"}
_LARGE: dict[str, Any] = {
    **_BASE,
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
}
_IDEFICS3: dict[str, Any] = {**_BASE, "hidden_size": 1152, "num_attention_heads": 16, "patch_size": 32}
DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "clip_vision_model": {**_BASE, "patch_size": 32},
    "siglip_vision_model": {**_BASE, "patch_size": 16},
    "vit": {**_BASE, "patch_size": 16},
    "dinov2": {**_DINOV2, "patch_size": 14, "mlp_ratio": 4},
    "internvl_vision": {**_LARGE, "image_size": [448, 448], "patch_size": [14, 14]},
    "idefics3_vision": _IDEFICS3,
    "smolvlm_vision": _IDEFICS3,
    "pixtral": {**_LARGE, "image_size": 1024, "patch_size": 16},
}
_WITH_CLS = ("clip_vision_model", "internvl_vision")
_GATED = ("pixtral",)
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


def vision_section(
    config: Config,
    missing: Mapping[str, Any] = CLIP_LARGE_336,
    kind: str | None = None,
    kinds: tuple[str, ...] = ("clip_vision_model", "siglip_vision_model"),
) -> Config:
    """`vision_config` with the defaults of its model type.

    missing: what holds where there is no such section; kind: the type of the tower where the family has but one,
    whatever the section says; kinds: the types that it may have otherwise.

    Raises:
        SpecError: E0644 where the tower is of a type that is not known here.
    """
    default = kind or str(missing["model_type"])
    if config.get("vision_config") is None:
        return Config({**missing, "model_type": default}, config.model, "vision_config.", DEFAULTS[default])
    section = config.section("vision_config", default)
    if kind is not None:
        return Config({**section.values, "model_type": kind}, section.model, section.path, DEFAULTS[kind])
    kind = section.get("model_type")
    if kind not in kinds:
        known = ", ".join(sorted(kinds))
        raise SpecError([error("E0644", f"the vision tower of {config.model} is a `{kind}`; known are {known}")])
    return section.with_defaults(DEFAULTS[kind])


def patch_grid(vision: Config) -> tuple[int, int]:
    """Rows and columns of patches of an image of the tower's own size."""
    (height, width), (patch, _) = vision.side("image_size"), vision.side("patch_size")
    return height // patch, width // patch


def layers_run(config: Config, layers: int, default: int | Sequence[int] = -2) -> int:
    """How many of the tower's layers the selected features have passed: `vision_feature_layer` counts hidden states."""
    chosen = config.get("vision_feature_layer", default)
    indices = [chosen] if isinstance(chosen, int) else list(chosen)
    passed = [layers + 1 + i if isinstance(i, int) and i < 0 else i for i in indices]
    if not passed or not all(isinstance(i, int) and 0 <= i <= layers for i in passed):
        raise config.problem("vision_feature_layer", f"is {chosen!r}, but the tower has {layers} layers")
    return max(passed)


def encoder_facts(
    config: Config, vision: Config, tiles: int = 1, feature_layer: int | Sequence[int] = -2
) -> EncoderFacts:
    """Facts of the tower of `config`, for an image of so many tiles; `feature_layer` is the family's default."""
    rows, columns = patch_grid(vision)
    layers = vision.count("num_hidden_layers")
    return EncoderFacts(
        layers=layers,
        layers_run=layers_run(config, layers, feature_layer),
        width=vision.count("hidden_size"),
        heads=vision.count("num_attention_heads"),
        mlp_width=vision.count("intermediate_size"),
        mlp_matrices=3 if vision.get("model_type") in _GATED else 2,
        has_cls=vision.get("model_type") in _WITH_CLS,
        patch_size=vision.side("patch_size")[0],
        channels=vision.count("num_channels"),
        patches=tiles * rows * columns,
        tiles=tiles,
    )
