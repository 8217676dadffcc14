"""LLaVA-OneVision (arXiv 2408.03326): any-resolution tiles up to 36, a SigLIP tower, newlines, videos pooled 2 by 2.

An image on its own becomes a base view and tiles, of which padding is cut off and too many are scaled down; a newline
stands behind every row. Among several images each is its base view and one newline. The usual image is on its own, a
square of twice the tower's side: five views of 729 patches and 54 newlines, 3,699 visual tokens. A video is one image
to every reduction: all its frames, and one newline.
"""

from __future__ import annotations

from typing import Any

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.llava import projector_facts
from eosdsl.models.llava_next import SEVERAL, tiling
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.text_models import decoder_facts
from eosdsl.models.vision_models import encoder_facts, patch_grid, vision_section

_SIGLIP: dict[str, Any] = {
    "model_type": "siglip_vision_model",
    "hidden_size": 1152,
    "intermediate_size": 4304,
    "num_hidden_layers": 26,
    "num_attention_heads": 16,
    "image_size": 384,
    "patch_size": 14,
}
_PINPOINTS = tuple((384 * down, 384 * across) for down in range(1, 7) for across in range(1, 7))


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a LLaVA-OneVision from its config."""
    vision = vision_section(config, _SIGLIP)
    rows, columns = patch_grid(vision)
    down, across = tiling(config, vision.side("image_size"), _PINPOINTS)
    encoder = encoder_facts(config, vision, 1 + down * across, -1)
    decoder = decoder_facts(config.section("text_config", "qwen2"))
    return ModelFacts(
        name=name,
        family="llava_onevision",
        decoder=decoder,
        encoder=encoder,
        projector=projector_facts(encoder.width, decoder.width),
        grid=None,
        visual_tokens=rows * columns * encoder.tiles + down * rows,
        image_token_id=config.token("image_token_id", "image_token_index") or 151646,
        dtype_bytes=config.bytes_per_value(),
        tower_refused=SEVERAL if isinstance(config.get("vision_feature_layer"), list) else "",
    )


PROFILE = Profile(
    family="llava_onevision",
    model_types=("llava_onevision",),
    architecture="LlavaOnevisionForConditionalGeneration",
    read=read,
    shipped=(
        Shipped(
            "llava-onevision-7b", "llava-onevision-7b.json", ("llava-onevision",), "Qwen2-7B with SigLIP at 384 pixels"
        ),
    ),
    torch=TorchNames(tower_rows="packed"),
    summary="any-resolution tiles, SigLIP tower, two-layer projector, videos",
    notes=("among several images each is one view of 729 tokens and a newline",),
    exports="features",
)
