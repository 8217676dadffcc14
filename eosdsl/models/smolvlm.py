"""SmolVLM (arXiv 2504.05299): Idefics3 made small. Frames of a video are images of one tile."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.idefics3 import NOTE, TORCH, joins, read_kind
from eosdsl.models.profile import Profile, Shipped


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a SmolVLM from its config."""
    return read_kind(config, name, "smolvlm")


PROFILE = Profile(
    family="smolvlm",
    model_types=("smolvlm",),
    architecture="SmolVLMForConditionalGeneration",
    read=read,
    shipped=(Shipped("smolvlm-2b", "smolvlm-2b.json", ("smolvlm",), "SmolLM2-1.7B with SigLIP at 384 pixels"),),
    torch=TORCH,
    summary="tiles of 81 tokens with row and column tokens, pixel shuffle",
    joins=joins,
    notes=(NOTE, "a frame of a video counts as an image of its own"),
    not_exported="tokens of the text stand among its image, and only its processor knows which",
)
