"""What the language needs to know of a model, torch-free: read from its JSON config by a family's profile."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DecoderFacts(Facts):
    """The language model. Widths in numbers of features."""

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    mlp_width: int
    mlp_matrices: int = 3
    vocabulary: int
    rope: Literal["1d", "mrope"] = "1d"
    sliding_layers: tuple[int, ...] = ()


class EncoderFacts(Facts):
    """The vision tower. `layers` exist; `layers_run` give the features that the VLM selects (LLaVA-1.5: 23 of 24)."""

    layers: int
    layers_run: int
    width: int
    heads: int
    mlp_width: int
    mlp_matrices: int = 2
    has_cls: bool
    patch_size: int
    channels: int = 3


class ProjectorFacts(Facts):
    """Linear maps from encoder to decoder width: pairs of (in, out), applied to every visual token."""

    linears: tuple[tuple[int, int], ...]
    merge: int = 1  # patches per visual token side (pixel shuffle, Qwen merger)


class ModelFacts(Facts):
    """One model. `grid` is the visual tokens of one image, rows by columns; None where it depends on the image."""

    name: str
    family: str
    decoder: DecoderFacts
    encoder: EncoderFacts | None
    projector: ProjectorFacts | None
    grid: tuple[int, int] | None
    visual_tokens: int
    image_token_id: int | None
    dtype_bytes: int = 2
    unsupported: tuple[str, ...] = ()
