"""DINOv2 (arXiv 2304.07193) by itself, with registers (arXiv 2309.16588) or without, with a classifier or without.

The usual image is that of the config: 518 pixels, 37 by 37 patches. Many use it at 224, 16 by 16: percentages hold
there too.
"""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import EncoderFacts, ModelFacts
from eosdsl.models.image_encoders import alone
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.vision_models import DEFAULTS, patch_grid


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a DINOv2 from its config."""
    vision = config.with_defaults(DEFAULTS["dinov2"])
    rows, columns = patch_grid(vision)
    layers, width = vision.count("num_hidden_layers"), vision.count("hidden_size")
    gated = bool(vision.get("use_swiglu_ffn", False))
    inner = width * vision.count("mlp_ratio")
    registers = vision.get("model_type") == "dinov2_with_registers"
    encoder = EncoderFacts(
        layers=layers,
        layers_run=layers,
        width=width,
        heads=vision.count("num_attention_heads"),
        mlp_width=(inner * 2 // 3 + 7) // 8 * 8 if gated else inner,
        mlp_matrices=3 if gated else 2,
        has_cls=True,
        registers=vision.count("num_register_tokens", 4) if registers else 0,
        patch_size=vision.side("patch_size")[0],
        channels=vision.count("num_channels"),
        patches=rows * columns,
    )
    return alone(config, name, "dinov2", encoder, (rows, columns))


PROFILE = Profile(
    family="dinov2",
    model_types=("dinov2", "dinov2_with_registers"),
    architecture="Dinov2Model",
    also=("Dinov2ForImageClassification", "Dinov2WithRegistersModel", "Dinov2WithRegistersForImageClassification"),
    read=read,
    shipped=(Shipped("dinov2-b", "dinov2-b.json", ("dinov2",), "DINOv2 ViT-B/14 at 518 pixels"),),
    torch=TorchNames(text_model="", vision_tower="dinov2", vision_layers="encoder.layer", projector=None),
    summary="image encoder alone, CLS, registers where it has them",
    notes=("its classifiers take the plain mean of the rows that are left: merged ones count once",),
)
