"""A model family that is LLaVA under another name."""

from __future__ import annotations

from eosdsl.models.config import Config
from eosdsl.models.facts import ModelFacts
from eosdsl.models.llava import read as read_llava
from eosdsl.models.profile import Profile


def read(config: Config, name: str) -> ModelFacts:
    """The facts of a LLaVA, as a member of this family."""
    return read_llava(config, name).model_copy(update={"family": "fake_vlm"})


PROFILE = Profile(
    family="fake_vlm",
    model_types=("fake_vlm",),
    architecture="LlavaForConditionalGeneration",
    read=read,
    summary="LLaVA under another name",
)
