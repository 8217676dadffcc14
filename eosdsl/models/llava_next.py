"""LLaVA-NeXT (LLaVA-1.6): an image becomes a base view and tiles, with a newline token after every row of tiles.

The usual image is taken to be a square of twice the tower's side (672 by 672), or the largest of `image_grid_pinpoints`
where that one is not among them: five views of 576 patches and 48 newlines give 2,928 visual tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.llava import projector_facts
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

SEVERAL = "the features of several layers lie side by side"
_PINPOINTS = ((336, 672), (672, 336), (672, 672), (1008, 336), (336, 1008))


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a LLaVA-NeXT from its config."""
    vision = vision_section(config)
    rows, columns = patch_grid(vision)
    down, across = tiling(config, vision.side("image_size"), _PINPOINTS)
    encoder = encoder_facts(config, vision, tiles=1 + down * across)
    decoder = decoder_facts(config.section("text_config", "llama"))
    newlines = down * rows
    return ModelFacts(
        name=name,
        family="llava_next",
        decoder=decoder,
        encoder=encoder,
        projector=projector_facts(encoder.width, decoder.width),
        grid=None,
        visual_tokens=rows * columns * encoder.tiles + newlines,
        image_token_id=config.token("image_token_id", "image_token_index") or 32000,
        dtype_bytes=config.bytes_per_value(),
        tower_refused=SEVERAL if isinstance(config.get("vision_feature_layer"), list) else "",
    )


def tiling(config: Config, side: tuple[int, int], default: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Tiles down and across for the usual image."""
    given = config.get("image_grid_pinpoints") or default
    pinpoints = [Config({"size": one}, config.model, "image_grid_pinpoints.").side("size") for one in given]
    square = (2 * side[0], 2 * side[1])
    height, width = square if square in pinpoints else max(pinpoints, key=lambda p: (p[0] * p[1], p))
    return max(height // side[0], 1), max(width // side[1], 1)


PROFILE = Profile(
    family="llava_next",
    model_types=("llava_next",),
    architecture="LlavaNextForConditionalGeneration",
    read=read,
    shipped=(
        Shipped(
            "llava-1.6-mistral-7b",
            "llava-1.6-mistral-7b.json",
            ("llava-next",),
            "Mistral-7B with CLIP ViT-L/14 at 336 pixels, up to five views",
        ),
        Shipped(
            "llava-1.6-vicuna-7b",
            "llava-1.6-vicuna-7b.json",
            ("llava-v1.6-7b",),
            "Vicuna-7B with CLIP ViT-L/14 at 336 pixels, up to five views",
        ),
    ),
    torch=TorchNames(tower_rows="packed"),
    summary="any-resolution tiles, CLIP tower, two-layer projector",
    exports="features",
)
