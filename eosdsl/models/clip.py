"""CLIP's image encoder (arXiv 2103.00020) by itself, or in a CLIP whose text encoder is left alone."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.image_encoders import read_vision
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.vision_models import DEFAULTS


def read(config: Config, name: str) -> ModelFacts:
    """Facts of the image encoder from its config, or from that of a whole CLIP."""
    whole = config.get("model_type") == "clip"
    vision = config.section("vision_config", "clip_vision_model") if whole else config
    return read_vision(config, name, "clip", vision.with_defaults(DEFAULTS["clip_vision_model"]), has_cls=True)


PROFILE = Profile(
    family="clip",
    model_types=("clip_vision_model", "clip"),
    architecture="CLIPVisionModel",
    also=("CLIPVisionModelWithProjection", "CLIPModel", "CLIPForImageClassification"),
    read=read,
    shipped=(
        Shipped("clip-vit-l-14-336", "clip-vit-l-14-336.json", ("clip",), "CLIP ViT-L/14 at 336 pixels, LLaVA's tower"),
    ),
    torch=TorchNames(text_model="", vision_tower="vision_model", vision_layers="encoder.layers", projector=None),
    summary="image encoder alone, CLS",
    notes=("CLIPForImageClassification takes the plain mean of the rows that are left: merged ones count once",),
)
