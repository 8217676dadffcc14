"""The vision tower's work, done once for a batch: a search that leaves the tower alone looks at its images once."""

from __future__ import annotations

from dataclasses import replace
from inspect import signature
from typing import Any

import torch

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.space import Space
from eosdsl.lowering.anatomy import dissect
from eosdsl.lowering.calls import keywords_of
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profiles import profiles
from eosdsl.searching.batch import Batch

_PIXELS = {"image": "pixel_values"}
_TAKES = "mm_encoder_outputs"


def leaves_the_tower_alone(space: Space, teacher: DiscreteProgram | None = None) -> bool:
    """Whether nothing may be reduced before the decoder, neither by a member nor by the teacher."""
    steps = (*space.program.steps, *(() if teacher is None else teacher.steps))
    return all(step.where.stream == "decoder" for step in steps)


@torch.no_grad()
def encoded(batch: Batch, model: Any, facts: ModelFacts) -> Batch:
    """The batch with features in place of pixels; as it is where the model takes no features, or there is no image."""
    vlm: Any = dissect(model, profiles()[facts.family], facts).vlm
    kinds = [kind for kind, pixels in _PIXELS.items() if pixels in batch.inputs]
    if not kinds or set(batch.inputs) & {"pixel_values_videos"} or not _takes_features(model, vlm):
        return batch
    found = {kind: _features(vlm, kind, batch.inputs) for kind in kinds}
    inputs = {name: value for name, value in batch.inputs.items() if name not in _PIXELS.values()}
    return replace(batch, inputs=inputs, encoded=found)


def _takes_features(model: Any, vlm: Any) -> bool:
    return all(_TAKES in keywords_of(type(one)) for one in {id(one): one for one in (model, vlm)}.values())


def _features(vlm: Any, kind: str, inputs: dict[str, Any]) -> Any:
    features = getattr(vlm, f"get_{kind}_features")
    asked = {name: inputs[name] for name in signature(features).parameters if name in inputs}
    return features(**asked, return_dict=True)
