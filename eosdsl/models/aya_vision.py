"""Aya Vision (arXiv 2505.08751): tiles and a thumbnail, a SigLIP tower, pixel shuffle 2 by 2, a gated projector.

One token of the text stands in front of every tile. The usual image is a square of twice the tower's side: four tiles
and a thumbnail, 845 visual tokens. In the decoder (Cohere 2) three layers of four slide; the fourth rotates nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.internvl import USUAL_TILES
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

_SIGLIP: dict[str, Any] = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 26,
    "num_attention_heads": 14,
    "image_size": 384,
    "patch_size": 14,
}


def read(config: Config, name: str) -> ModelFacts:
    """Facts of an Aya Vision from its config."""
    vision = vision_section(config, _SIGLIP)
    encoder = encoder_facts(config, vision, USUAL_TILES, -1)
    decoder = decoder_facts(config.section("text_config", "cohere2"))
    merge = config.count("downsample_factor", 2)
    rows, columns = patch_grid(vision)
    middle = config.count("alignment_intermediate_size", decoder.width)
    return ModelFacts(
        name=name,
        family="aya_vision",
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(
            linears=((encoder.width * merge**2, middle), (middle // 2, decoder.width)), merge=merge
        ),
        grid=None,
        visual_tokens=USUAL_TILES * (rows // merge) * (columns // merge),
        image_token_id=config.token("image_token_id", "image_token_index") or 255036,
        dtype_bytes=config.bytes_per_value(),
        tower_refused=""
        if isinstance(config.get("vision_feature_layer", -1), int)
        else "it takes features of several layers",
    )


def joins(_: Sequence[int], between: Sequence[int]) -> bool:
    """Tiles of one image have one token between them; images at least three: an end, a start, the tile's."""
    return len(between) == 1


PROFILE = Profile(
    family="aya_vision",
    model_types=("aya_vision",),
    architecture="AyaVisionForConditionalGeneration",
    read=read,
    shipped=(
        Shipped("aya-vision-8b", "aya-vision-8b.json", ("aya-vision",), "Command R7B with SigLIP2 at 364 pixels"),
    ),
    torch=TorchNames(tower_rows="tiles"),
    summary="tiles of 169 tokens, SigLIP tower, pixel shuffle, sliding layers",
    joins=joins,
    notes=("the token in front of every tile is text: it stays, and counts as text",),
    not_exported="tokens of the text stand among its image, and only its processor knows which",
)
