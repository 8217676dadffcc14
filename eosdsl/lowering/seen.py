"""What an exported prefill takes of images, and how it becomes the N features of each, in shapes known ahead."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.models.facts import ModelFacts


class Pixels(nn.Module):
    """pixel_values [B, C, H, W], or [B, tiles, C, H, W] where the usual image is several → features [B, N, D], as
    `get_image_features` makes them.
    """

    def __init__(self, vlm: Any, known: ModelFacts) -> None:
        super().__init__()
        assert known.encoder is not None
        self.vlm = vlm
        self.tokens = known.visual_tokens
        self.tiles = known.visual_tokens // known.tile_tokens if known.tile_tokens else 1
        side = vlm.vision_tower.config.image_size
        self.sides = (side, side) if isinstance(side, int) else tuple(side)
        self.channels = known.encoder.channels

    def example(self, batch: int, generator: torch.Generator) -> Tensor:
        tiles = (self.tiles,) if self.tiles > 1 else ()
        return torch.randn(batch, *tiles, self.channels, *self.sides, generator=generator)

    def forward(self, pixel_values: Tensor) -> Tensor:
        flat = pixel_values.flatten(0, 1) if self.tiles > 1 else pixel_values
        features: Any = self.vlm.get_image_features(pixel_values=flat, return_dict=True).pooler_output
        return features.reshape(pixel_values.shape[0], self.tokens, features.shape[-1])


class SelectedRows(Pixels):
    """As `Pixels`, of models that select rows of some layers and project them one by one: their own way ends in a list
    with an entry for each image, which a free batch cannot have.
    """

    def __init__(self, vlm: Any, known: ModelFacts) -> None:
        super().__init__(vlm, known)
        chosen: Any = vlm.config.vision_feature_layer
        self.layers = (chosen,) if isinstance(chosen, int) else tuple(chosen)
        self.dropped = int(vlm.config.vision_feature_select_strategy == "default")

    def forward(self, pixel_values: Tensor) -> Tensor:
        states = self.vlm.vision_tower(pixel_values, output_hidden_states=True, return_dict=True).hidden_states
        return self.vlm.multi_modal_projector(torch.cat([states[i][:, self.dropped :] for i in self.layers], dim=-1))


@torch.no_grad()
def pixels_of(vlm: Any, known: ModelFacts) -> Pixels:
    """What takes the pixels of a model: it is asked once what its features come in."""
    pixels = Pixels(vlm, known)
    image = pixels.example(1, torch.Generator().manual_seed(0)).to(next(vlm.vision_tower.parameters()))
    features = vlm.get_image_features(
        pixel_values=image.flatten(0, 1) if pixels.tiles > 1 else image, return_dict=True
    ).pooler_output
    return pixels if isinstance(features, Tensor) else SelectedRows(vlm, known)


class Features(nn.Module):
    """features [B, N, D] of the usual image, as `get_image_features` gives them for one: the tower is not exported."""

    def __init__(self, tokens: int, width: int) -> None:
        super().__init__()
        self.tokens, self.width = tokens, width

    def example(self, batch: int, generator: torch.Generator) -> Tensor:
        return torch.randn(batch, self.tokens, self.width, generator=generator)

    def forward(self, features: Tensor) -> Tensor:
        return features
