"""A model family of this package, with a config that ships with it."""

from __future__ import annotations

from pathlib import Path

from eosdsl.models import llava
from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profile import Profile, Shipped

CONFIG = Path(__file__).with_name("pocket.json")


def read(config: Config, name: str) -> ModelFacts:
    """Facts of a pocket model: it is built like a LLaVA."""
    return llava.read(config, name).model_copy(update={"family": "pocket"})


PROFILE = Profile(
    family="pocket",
    model_types=("pocket_vl",),
    architecture="LlavaForConditionalGeneration",
    read=read,
    shipped=(Shipped("pocket-vl", str(CONFIG), ("pocket",), "four layers, for tests"),),
    summary="a model family from another package",
)
