"""Mistral Small 3.1: a Pixtral tower whose patches are joined 2 by 2, for images of any size and shape.

A token of the text stands behind every row of visual tokens. The usual image is the largest square that the tower
takes: at 1,540 pixels 55 by 55 visual tokens.
"""

from __future__ import annotations

from typing import Any

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.llava import PACKED
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

_PIXTRAL: dict[str, Any] = {"model_type": "pixtral", "image_size": 1540, "patch_size": 14}
_MISTRAL: dict[str, Any] = {
    "model_type": "mistral",
    "vocab_size": 131072,
    "hidden_size": 5120,
    "intermediate_size": 32768,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "sliding_window": None,
}


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a Mistral 3 from its config."""
    vision = vision_section(config, _PIXTRAL, kinds=("pixtral",))
    encoder = encoder_facts(config, vision, feature_layer=-1)
    whole = config if config.get("text_config") is not None else config.with_defaults({"text_config": _MISTRAL})
    decoder = decoder_facts(whole.section("text_config", "mistral"))
    merge = config.count("spatial_merge_size", 2)
    rows, columns = patch_grid(vision)
    joined = encoder.width * merge**2
    return ModelFacts(
        name=name,
        family="mistral3",
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(
            linears=((joined, encoder.width), (encoder.width, decoder.width), (decoder.width, decoder.width)),
            merge=merge,
        ),
        grid=None,
        visual_tokens=(rows // merge) * (columns // merge),
        image_token_id=config.token("image_token_id", "image_token_index") or 10,
        dtype_bytes=config.bytes_per_value(),
        tower_refused=PACKED,
    )


PROFILE = Profile(
    family="mistral3",
    model_types=("mistral3",),
    architecture="Mistral3ForConditionalGeneration",
    read=read,
    shipped=(
        Shipped(
            "mistral-small-3.1-24b",
            "mistral-small-3.1-24b.json",
            ("mistral3", "mistral-small"),
            "24B with a Pixtral tower, images up to 1540 pixels",
        ),
    ),
    torch=TorchNames(vision_layers="transformer.layers"),
    summary="any size, Pixtral tower, patches joined 2 by 2",
    notes=("the token behind every row of an image is text: it stays, and counts as text",),
    not_exported="tokens of the text stand among its image, and only its processor knows which",
)
