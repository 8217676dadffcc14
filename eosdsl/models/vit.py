"""ViT (arXiv 2010.11929) by itself, with a classifier or without."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.image_encoders import read_vision
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.vision_models import DEFAULTS


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a ViT from its config."""
    return read_vision(config, name, "vit", config.with_defaults(DEFAULTS["vit"]), has_cls=True)


PROFILE = Profile(
    family="vit",
    model_types=("vit",),
    architecture="ViTForImageClassification",
    also=("ViTModel",),
    read=read,
    shipped=(Shipped("vit-b-16", "vit-b-16.json", ("vit",), "ViT-B/16 at 224 pixels, 1,000 classes"),),
    torch=TorchNames(text_model="", vision_tower="vit", vision_layers="layers", projector=None),
    summary="image encoder alone, CLS, classifier",
)
