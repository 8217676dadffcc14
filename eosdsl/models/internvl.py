"""InternVL (arXiv 2504.10479) in transformers: tiles, a tower with CLS, pixel shuffle 2 by 2, a two-layer projector.

An image is cut into tiles of the tower's size, with a thumbnail behind them where there are several; each gives 256
placeholders, with no token of the text between those of one image. The usual image is a square of twice the tower's
side: four tiles and a thumbnail, 1,280 visual tokens. Frames of a video are images of one tile.
"""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

USUAL_TILES = 5


def read(config: Config, name: str) -> ModelFacts:
    """Facts of an InternVL from its config."""
    vision = vision_section(config, {"model_type": "internvl_vision"}, kind="internvl_vision")
    rows, columns = patch_grid(vision)
    encoder = encoder_facts(config, vision, USUAL_TILES, -1)
    other_layer = encoder.layers_run < encoder.layers
    decoder = decoder_facts(config.section("text_config", "qwen2"))
    merge = round(1 / float(config.get("downsample_ratio", 0.5)))
    joined = encoder.width * merge**2
    return ModelFacts(
        name=name,
        family="internvl",
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(linears=((joined, decoder.width), (decoder.width, decoder.width)), merge=merge),
        grid=None,
        visual_tokens=USUAL_TILES * (rows // merge) * (columns // merge),
        image_token_id=config.token("image_token_id", "image_token_index") or 151667,
        dtype_bytes=config.bytes_per_value(),
        tower_refused="features are those of a layer in front of the last" if other_layer else "",
    )


def joins(_: Sequence[int], between: Sequence[int]) -> bool:
    """Tiles of one image have nothing between them."""
    return not between


PROFILE = Profile(
    family="internvl",
    model_types=("internvl",),
    architecture="InternVLForConditionalGeneration",
    read=read,
    shipped=(
        Shipped("internvl3-8b", "internvl3-8b.json", ("internvl", "internvl3"), "Qwen2.5-7B with InternViT-300M"),
    ),
    torch=TorchNames(vision_layers="encoder.layer", tower_rows="tiles"),
    summary="tiles of 256 tokens, tower with CLS, pixel shuffle",
    joins=joins,
    notes=("one tile is 256 tokens; an image that is not cut has one",),
    exports="pixels",
)
