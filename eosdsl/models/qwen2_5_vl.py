"""Qwen2.5-VL (arXiv 2502.13923): Qwen2-VL with a gated tower whose attention mostly stays within windows."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import EncoderFacts, ModelFacts
from eosdsl.models.profile import Profile, Shipped
from eosdsl.models.qwen2_vl import TORCH, decoder, family_facts, vision

_FULL = (7, 15, 23, 31)


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a Qwen2.5-VL from its config."""
    section = vision(config, {"hidden_size": 3584, "intermediate_size": 3420, "window_size": 112})
    layers, patch = section.count("depth"), section.side("patch_size")[0]
    full = section.get("fullatt_block_indexes", _FULL)
    encoder = EncoderFacts(
        layers=layers,
        layers_run=layers,
        width=section.count("hidden_size"),
        heads=section.count("num_heads"),
        mlp_width=section.count("intermediate_size"),
        mlp_matrices=3,
        has_cls=False,
        patch_size=patch,
        temporal_patch_size=section.side("temporal_patch_size")[0],
        channels=section.count("in_channels"),
        window=(section.count("window_size") // patch) ** 2,
        windowed_layers=tuple(i for i in range(layers) if i not in full),
    )
    merge = section.count("spatial_merge_size")
    return family_facts(config, name, "qwen2_5_vl", decoder(config, "qwen2_5_vl_text"), encoder, merge)


PROFILE = Profile(
    family="qwen2_5_vl",
    model_types=("qwen2_5_vl",),
    architecture="Qwen2_5_VLForConditionalGeneration",
    read=read,
    shipped=(
        Shipped("qwen2.5-vl-3b", "qwen2.5-vl-3b.json", (), "Qwen2.5-3B, tower with window attention"),
        Shipped("qwen2.5-vl-7b", "qwen2.5-vl-7b.json", ("qwen2.5-vl",), "Qwen2.5-7B, tower with window attention"),
    ),
    torch=TORCH,
    summary="any resolution, window attention in the tower, 2x2 merger, M-RoPE",
    exports="features",
)
