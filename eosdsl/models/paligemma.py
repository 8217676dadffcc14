"""PaliGemma (arXiv 2407.07726) and PaliGemma 2 (arXiv 2412.03555): a SigLIP tower, one linear map, prefix attention.

Image and question are a prefix whose rows see each other in both directions; the answer is causal. `token_type_ids` say
which rows are the prefix (0): the processor always gives them, and without them the model itself is causal under eager
attention and sees everything under sdpa, so they are asked for.
"""

from __future__ import annotations

from typing import Any

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

_SIGLIP: dict[str, Any] = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4096,
    "num_hidden_layers": 27,
    "num_attention_heads": 16,
    "image_size": 224,
    "patch_size": 14,
}
_GEMMA: dict[str, Any] = {
    "model_type": "gemma",
    "vocab_size": 257152,
    "hidden_size": 2048,
    "intermediate_size": 16384,
    "num_hidden_layers": 18,
    "num_attention_heads": 8,
    "num_key_value_heads": 1,
}


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a PaliGemma from its config."""
    vision = vision_section(config, _SIGLIP)
    encoder = encoder_facts(config.with_defaults({"vision_feature_layer": -1}), vision)
    whole = config if config.get("text_config") is not None else config.with_defaults({"text_config": _GEMMA})
    decoder = decoder_facts(whole.section("text_config", "gemma"))
    rows, columns = patch_grid(vision)
    return ModelFacts(
        name=name,
        family="paligemma",
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(linears=((encoder.width, config.count("projection_dim", 2048)),)),
        grid=(rows, columns),
        visual_tokens=rows * columns,
        image_token_id=config.token("image_token_id", "image_token_index") or 256000,
        dtype_bytes=config.bytes_per_value(),
    )


PROFILE = Profile(
    family="paligemma",
    model_types=("paligemma",),
    architecture="PaliGemmaForConditionalGeneration",
    read=read,
    shipped=(
        Shipped("paligemma-3b", "paligemma-3b.json", ("paligemma",), "Gemma-2B with SigLIP-So400m at 224 pixels"),
    ),
    summary="one square image, SigLIP tower, one linear map, prefix attention",
    blocks="prefix",
    exports="pixels",
)
