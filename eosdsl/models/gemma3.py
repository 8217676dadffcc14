"""Gemma 3 (arXiv 2503.19786): a SigLIP tower pooled 4 by 4 to 256 tokens; five layers of six slide over a window.

Tokens of an image see each other in both directions (`token_type_ids` say which they are). Sliding and full layers have
masks and rotary embeddings of their own. Crops of an image (pan and scan) are images of their own, with text between.
"""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a Gemma 3 from its config."""
    vision = vision_section(config, {"model_type": "siglip_vision_model"})
    encoder = encoder_facts(config.with_defaults({"vision_feature_layer": -1}), vision)
    decoder = decoder_facts(config.section("text_config", "gemma3_text"))
    patches, _ = patch_grid(vision)
    side = int(config.count("mm_tokens_per_image", 256) ** 0.5)
    return ModelFacts(
        name=name,
        family="gemma3",
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(linears=((encoder.width, decoder.width),), merge=patches // side),
        grid=(side, side),
        visual_tokens=side * side,
        image_token_id=config.token("image_token_id", "image_token_index") or 262144,
        dtype_bytes=config.bytes_per_value(),
    )


PROFILE = Profile(
    family="gemma3",
    model_types=("gemma3",),
    architecture="Gemma3ForConditionalGeneration",
    read=read,
    shipped=(Shipped("gemma3-4b", "gemma3-4b.json", ("gemma3",), "Gemma 3 4B with SigLIP at 896 pixels"),),
    torch=TorchNames(tower_rows="tiles"),
    summary="256 tokens an image, sliding and full layers, images see themselves in both directions",
    blocks="images",
    window_first=True,
    notes=("windows follow positions: a row that stays does not come nearer when rows before it go",),
    exports="pixels",
)
