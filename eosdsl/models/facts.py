"""What the language needs to know of a model, torch-free: read from its JSON config by a family's profile."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class DecoderFacts(Facts):
    """The language model. Widths in numbers of features.

    late_layers: behind so many of the first layers visual features are added to visual rows again (DeepStack).
    """

    layers: int
    width: int
    heads: int
    kv_heads: int
    head_width: int
    mlp_width: int
    mlp_matrices: int = 3
    vocabulary: int
    rope: Literal["1d", "mrope"] = "1d"
    late_layers: int = 0
    sliding_layers: tuple[int, ...] = ()
    window: int | None = None  # positions that a sliding layer sees, its own included

    @property
    def kv_width(self) -> int:
        """Features of a token's keys (and as many of its values) in one layer."""
        return self.kv_heads * self.head_width


class EncoderFacts(Facts):
    """The vision tower. `layers` exist; `layers_run` give the features that the VLM selects (LLaVA-1.5: 23 of 24).

    `patches` are those of the usual image, all tiles together (None: as many as its visual tokens stand for); `tiles`
    are encoded apart from each other, each with its own CLS and registers. In `windowed_layers` attention stays within
    windows of `window` patches. late_depths: layers behind which features are read for the decoder's early layers, one
    of them for each (DeepStack).
    """

    layers: int
    layers_run: int
    width: int
    heads: int
    mlp_width: int
    mlp_matrices: int = 2
    has_cls: bool
    registers: int = 0
    patch_size: int
    temporal_patch_size: int = 1
    channels: int = 3
    patches: int | None = None
    tiles: int = 1
    window: int | None = None
    windowed_layers: tuple[int, ...] = ()
    late_depths: tuple[int, ...] = ()

    @property
    def extra_rows(self) -> int:
        """Rows of the usual image that are no patches: CLS and registers of every tile."""
        return self.tiles * (int(self.has_cls) + self.registers)

    @property
    def patch_values(self) -> int:
        """Input values of one patch."""
        return self.channels * self.temporal_patch_size * self.patch_size**2


class ProjectorFacts(Facts):
    """Linear maps from encoder to decoder width: pairs of (in, out), applied to every visual token."""

    linears: tuple[tuple[int, int], ...]
    merge: int = 1  # patches per visual token side (pixel shuffle, Qwen merger)


class ModelFacts(Facts):
    """One model. `grid` is the visual tokens of one image, rows by columns; None where it depends on the image.

    `tower_refused`: why reductions in the vision tower or at its output cannot be compiled, empty where they can.
    """

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
    tower_refused: str = ""

    @property
    def merge_area(self) -> int:
        """Patches that become one visual token."""
        return self.projector.merge**2 if self.projector else 1

    @property
    def patches(self) -> int:
        """Patches of the usual image: the unreduced count of the tower."""
        if self.encoder and self.encoder.patches is not None:
            return self.encoder.patches
        return self.visual_tokens * self.merge_area

    @property
    def tile_tokens(self) -> int:
        """Visual tokens that one tile gives, newlines not counted."""
        return self.patches // self.merge_area // (self.encoder.tiles if self.encoder else 1)
