"""SigLIP's image encoder (arXiv 2303.15343), SigLIP 2 of fixed resolution too, by itself or in a whole SigLIP."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.image_encoders import read_vision
from eosdsl.models.profile import Profile, Shipped, TorchNames
from eosdsl.models.vision_models import DEFAULTS


def read(config: Config, name: str) -> ModelFacts:
    """Facts of the image encoder from its config, or from that of a whole SigLIP."""
    whole = config.get("model_type") == "siglip"
    vision = config.section("vision_config", "siglip_vision_model") if whole else config
    return read_vision(config, name, "siglip", vision.with_defaults(DEFAULTS["siglip_vision_model"]), has_cls=False)


PROFILE = Profile(
    family="siglip",
    model_types=("siglip_vision_model", "siglip"),
    architecture="SiglipVisionModel",
    also=("SiglipModel", "SiglipForImageClassification"),
    read=read,
    shipped=(Shipped("siglip-so400m", "siglip-so400m.json", ("siglip",), "SigLIP So400m/14 at 384 pixels, 27 layers"),),
    torch=TorchNames(text_model="", vision_tower="vision_model", vision_layers="encoder.layers", projector=None),
    summary="image encoder alone, no CLS, pools by attention",
    notes=(
        "its head attends to the rows that are left, merged ones as one row; it is not counted",
        "SigLIP 2 of any resolution (`siglip2`) has no profile: its head masks the patches that came in",
    ),
)
