"""Qwen2-VL (arXiv 2409.12191) and Qwen2.5-VL (arXiv 2502.13923): towers of any resolution, 2x2 merger, M-RoPE.

The number of visual tokens follows the image. The usual image is taken to be 672 by 672 pixels: 2,304 patches that the
merger turns into 576 visual tokens, as many as LLaVA-1.5 has. A config may say otherwise (`vision_config.image_size`).
"""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import DecoderFacts, EncoderFacts, ModelFacts, ProjectorFacts
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts

USUAL_SIDE = 672  # pixels
TORCH = TorchNames(
    vision_tower="model.visual", vision_layers="blocks", projector="model.visual.merger", tower_rows="groups"
)
_VISION = {
    "depth": 32,
    "num_heads": 16,
    "in_channels": 3,
    "patch_size": 14,
    "spatial_merge_size": 2,
    "temporal_patch_size": 2,
}


def vision(config: Config, more: dict[str, object]) -> Config:
    """`vision_config` with the family's defaults."""
    return config.section("vision_config", "").with_defaults({**_VISION, **more})


def decoder(config: Config, text_type: str) -> DecoderFacts:
    """The decoder: configs on hubs keep its keys at the top, newer ones in `text_config`."""
    nested = config.get("text_config") is not None
    flat = Config({**config.values, "model_type": text_type}, config.model)
    return decoder_facts(config.section("text_config", text_type) if nested else flat, rope="mrope")


def family_facts(
    config: Config, name: str, family: str, decoder: DecoderFacts, encoder: EncoderFacts, merge: int
) -> ModelFacts:
    """What both generations share: the merger joins `merge` by `merge` patches and maps them to the decoder's width."""
    usual = config.section("vision_config", "").count("image_size", USUAL_SIDE)
    side = max(1, usual // (encoder.patch_size * merge))
    joined = encoder.width * merge**2
    return ModelFacts(
        name=name,
        family=family,
        decoder=decoder,
        encoder=encoder,
        projector=ProjectorFacts(linears=((joined, joined), (joined, decoder.width)), merge=merge),
        grid=(side, side),
        visual_tokens=side * side,
        image_token_id=config.token("image_token_id") or 151655,
        dtype_bytes=config.bytes_per_value(),
    )


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a Qwen2-VL from its config."""
    section = vision(config, {"embed_dim": 1280, "mlp_ratio": 4})
    layers, width, patch = section.count("depth"), section.count("embed_dim"), section.side("patch_size")[0]
    encoder = EncoderFacts(
        layers=layers,
        layers_run=layers,
        width=width,
        heads=section.count("num_heads"),
        mlp_width=width * section.count("mlp_ratio"),
        has_cls=False,
        patch_size=patch,
        temporal_patch_size=section.side("temporal_patch_size")[0],
        channels=section.count("in_channels"),
    )
    merge = section.count("spatial_merge_size")
    return family_facts(config, name, "qwen2_vl", decoder(config, "qwen2_vl_text"), encoder, merge)


PROFILE = Profile(
    family="qwen2_vl",
    model_types=("qwen2_vl",),
    architecture="Qwen2VLForConditionalGeneration",
    read=read,
    shipped=(Shipped("qwen2-vl-7b", "qwen2-vl-7b.json", ("qwen2-vl",), "Qwen2-7B, tokens follow the image"),),
    torch=TORCH,
    summary="any resolution, tower without CLS, 2x2 merger, M-RoPE",
    exports="features",
)
