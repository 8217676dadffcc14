"""Qwen3-VL: Qwen2-VL with DeepStack (arXiv 2406.04334): visual features of several depths of the tower, added to the
visual rows behind the decoder's first layers.

A video is one image here, though timestamps stand between its frames.
"""

from __future__ import annotations

from dataclasses import replace

from eosdsl.models.config import Config
from eosdsl.models.facts import EncoderFacts, ModelFacts
from eosdsl.models.profile import Profile, Shipped
from eosdsl.models.qwen2_vl import TORCH, decoder, family_facts, vision

_VISION: dict[str, object] = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "patch_size": 16}
_DEPTHS = (8, 16, 24)


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a Qwen3-VL from its config."""
    section = vision(config, _VISION)
    layers = section.count("depth")
    depths = section.get("deepstack_visual_indexes", _DEPTHS)
    if not isinstance(depths, (list, tuple)) or not all(isinstance(one, int) and one < layers for one in depths):
        raise section.problem("deepstack_visual_indexes", f"is {depths!r}, not layers of the {layers}")
    encoder = EncoderFacts(
        layers=layers,
        layers_run=layers,
        width=section.count("hidden_size"),
        heads=section.count("num_heads"),
        mlp_width=section.count("intermediate_size"),
        has_cls=False,
        patch_size=section.side("patch_size")[0],
        temporal_patch_size=section.side("temporal_patch_size")[0],
        channels=section.count("in_channels"),
        late_depths=tuple(depths),
    )
    known = family_facts(
        config, name, "qwen3_vl", decoder(config, "qwen3_vl_text"), encoder, section.count("spatial_merge_size")
    )
    assert known.projector is not None
    # every depth has a merger of its own, of the same size as the last
    projector = known.projector.model_copy(update={"linears": known.projector.linears * (1 + len(depths))})
    own = known.decoder.model_copy(update={"late_layers": len(depths)})
    return known.model_copy(update={"projector": projector, "decoder": own})


PROFILE = Profile(
    family="qwen3_vl",
    model_types=("qwen3_vl",),
    architecture="Qwen3VLForConditionalGeneration",
    read=read,
    shipped=(Shipped("qwen3-vl-8b", "qwen3-vl-8b.json", ("qwen3-vl",), "Qwen3-8B, DeepStack behind three layers"),),
    torch=replace(TORCH, late_mergers="deepstack_merger_list"),
    summary="any resolution, 2x2 mergers at four depths, M-RoPE, DeepStack",
    not_exported="its decoder takes visual features again behind early layers, which go to it by a mask of the prompt",
)
