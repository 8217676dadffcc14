"""Idefics3 (arXiv 2408.12637): tiles and the whole image scaled down, pixel shuffle, one linear map.

An image is scaled so that its longer side is four tiles, and cut; the whole of it, as one tile more, comes last.
Between the placeholders of its tiles stand tokens of the text that say row and column, and newlines: they are no visual
tokens, and stay. The usual image is a square: 17 tiles, at 364 pixels 2,873 visual tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

USUAL_TILES = 17
TORCH = TorchNames(
    text_model="model.text_model",
    vision_tower="model.vision_model",
    projector="model.connector.modality_projection",
    tower_rows="tiles",
)
NOTE = "row, column and newline tokens between the tiles are text: they stay, and count as text"


def read(config: Config, name: str) -> ModelFacts:
    """Facts of an Idefics3 from its config."""
    return read_kind(config, name, "idefics3")


def read_kind(config: Config, name: str, family: str) -> ModelFacts:
    """Facts of one of the families of this shape: Idefics3 and SmolVLM."""
    tower = f"{family}_vision"
    vision = vision_section(config, {"model_type": tower}, kind=tower)
    rows, columns = patch_grid(vision)
    encoder = encoder_facts(config.with_defaults({"vision_feature_layer": -1}), vision, USUAL_TILES)
    decoder = decoder_facts(config.section("text_config", "llama"))
    merge = config.count("scale_factor", 2)
    return ModelFacts(
        name=name,
        family=family,
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(linears=((encoder.width * merge**2, decoder.width),), merge=merge),
        grid=None,
        visual_tokens=USUAL_TILES * rows * columns // merge**2,
        image_token_id=config.token("image_token_id") or 128257,
        dtype_bytes=config.bytes_per_value(),
    )


def joins(before: Sequence[int], between: Sequence[int]) -> bool:
    """Tiles of one image: `<fake> <row_1_col_1> tile <fake> <row_1_col_2> tile \\n <fake> <row_2_col_1> tile …`.

    The same token stands two in front of every tile, and between tiles of one image at most newlines stand before it;
    an image ends with it, so between images it stands twice.
    """
    if len(before) < 2 or len(between) < 2 or between[-2] != before[-2]:
        return False
    return len(between) <= 4 and before[-2] not in between[:-2]


PROFILE = Profile(
    family="idefics3",
    model_types=("idefics3",),
    architecture="Idefics3ForConditionalGeneration",
    read=read,
    shipped=(Shipped("idefics3-8b", "idefics3-8b.json", ("idefics3",), "Llama-3.1-8B with SigLIP at 364 pixels"),),
    torch=TORCH,
    summary="tiles of 169 tokens with row and column tokens, pixel shuffle",
    joins=joins,
    notes=(NOTE,),
    not_exported="tokens of the text stand among its image, and only its processor knows which",
)
