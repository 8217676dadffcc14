"""ViP-LLaVA (arXiv 2312.00784): LLaVA whose features are those of five layers of the tower, side by side."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.llava import projector_facts
from eosdsl.models.profile import Profile, Shipped
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

_LAYERS = [-2, -5, -8, -11, 6]


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a ViP-LLaVA from its config. The tower's first row is always left out."""
    config = _renamed(config)
    vision = vision_section(config)
    encoder = encoder_facts(config, vision, feature_layer=_LAYERS)
    decoder = decoder_facts(config.section("text_config", "llama"))
    rows, columns = patch_grid(vision)
    chosen = config.get("vision_feature_layer", _LAYERS)
    several = len(chosen) if isinstance(chosen, list) else 1
    visual = rows * columns + encoder.has_cls - 1
    return ModelFacts(
        name=name,
        family="vipllava",
        decoder=decoder,
        encoder=encoder,
        projector=projector_facts(encoder.width * several, decoder.width),
        grid=(rows, columns) if encoder.has_cls else None,
        visual_tokens=visual,
        image_token_id=config.token("image_token_id", "image_token_index") or 32000,
        dtype_bytes=config.bytes_per_value(),
    )


def _renamed(config: Config) -> Config:
    """The config with its layers under the name that they have since transformers 5.23."""
    layers = config.get("vision_feature_layer", config.get("vision_feature_layers"))
    return Config({**config.values, "vision_feature_layer": layers}, config.model, config.path, config.defaults)


PROFILE = Profile(
    family="vipllava",
    model_types=("vipllava",),
    architecture="VipLlavaForConditionalGeneration",
    read=read,
    shipped=(Shipped("vip-llava-7b", "vip-llava-7b.json", ("vipllava",), "Vicuna-7B, features of five CLIP layers"),),
    summary="one square image, features of five layers of a CLIP tower",
    exports="pixels",
)
