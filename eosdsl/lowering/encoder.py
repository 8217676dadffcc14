"""An operator on an image encoder that stands alone: ViT, CLIP, SigLIP, DINOv2 and classifiers on them.

Its forward walks over a list of layers. While an operator is attached, that list holds one callable: the graph of all
layers with reducers in it. Embedding, norm, pooling and head stay transformers' own, and so do the weights' names.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.ir.schedule import Schedule
from eosdsl.lowering.anatomy import Tower, dissect_encoder, whole_model
from eosdsl.lowering.build import Lowered, build_encoder
from eosdsl.lowering.halves import divisible
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.restoring import Restoring
from eosdsl.lowering.stream import Stream
from eosdsl.lowering.tower import entering_tower
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profile import TorchNames

_BY_CLS = {
    "CLIPModel",
    "CLIPVisionModel",
    "CLIPVisionModelWithProjection",
    "Dinov2Model",
    "Dinov2WithRegistersModel",
    "ViTForImageClassification",
    "ViTModel",
}
"""Models whose answer is read from the CLS row; in the others it comes from all rows that are there."""


@dataclass(frozen=True)
class Encoder:
    """An image encoder, taken apart; `layers` is what its list of layers is called on `tower.stack`."""

    model: nn.Module
    tower: Tower
    layers: str


def take_apart(model: nn.Module, names: TorchNames, known: ModelFacts) -> Encoder:
    """The parts of an image encoder. Raises SpecError (E0430) where it carries an operator, E0438 as `dissect` does."""
    tower = dissect_encoder(model, names, known)
    return Encoder(whole_model(model), tower, str(names.vision_layers).rpartition(".")[2])


def lower(schedule: Schedule, encoder: Encoder, networks: nn.ModuleDict) -> Lowered:
    """The graph of the encoder's layers with a reducer at every site that does something."""
    return build_encoder(schedule, encoder.tower, networks)


class EncoderAttachment(Restoring):
    """An operator on an image encoder. Raises SpecError (E0430) where the model carries one already."""

    def __init__(self, encoder: Encoder, lowered: Lowered) -> None:
        super().__init__()
        if encoder.layers in vars(encoder.tower.stack):
            refuse("E0430", "the model already carries an operator", "detach the first one: compiled.detach()")
        for layer in lowered.split:
            self.replace(layer, "forward", divisible(layer, layer.forward))
        self.replace(encoder.tower.stack, encoder.layers, [_all_layers(encoder, lowered)])
        self.handles.append(encoder.model.register_forward_pre_hook(refuse_attentions, with_kwargs=True))


def _all_layers(encoder: Encoder, lowered: Lowered) -> Any:
    def run(hidden: Tensor, attention_mask: Any = None, **_: Any) -> Tensor:
        """hidden [B, L, D] → [B, L', D]: leading rows, then what is left of the patches."""
        if attention_mask is not None:
            refuse("E0431", "an attention mask in an image encoder is not supported while an operator is attached")
        patches = hidden.shape[1] - encoder.tower.leading
        tower = replace(encoder.tower, features=patches)
        _, left = lowered.graph(hidden, None, entering_tower(hidden, tower, lowered.recount(patches, ())))
        return _rows(left, encoder)

    return run


def _rows(stream: Stream, encoder: Encoder) -> Tensor:
    """[B, leading + K, D]; where images keep different numbers of rows, zeros stand behind those of the shorter."""
    images, queries = stream.images, stream.queries
    assert images is not None and queries is not None
    leading = torch.arange(encoder.tower.leading, device=stream.hidden.device) + queries.last[:, None]
    most = max(images.counts)
    rows = stream.hidden[images.batch[:, None], torch.cat([leading, images.rows[:, :most]], dim=1)]
    if images.valid is None or min(images.counts) == most:
        return rows
    if not answers_by_cls(encoder.model):
        refuse(
            "E0431",
            f"images of one batch keep different numbers of rows, and {type(encoder.model).__name__} pools over all",
            "give one image a call, or a budget that is the same for all",
        )
    there = torch.cat([torch.ones_like(leading, dtype=torch.bool), images.valid[:, :most]], dim=1)
    return rows * there[:, :, None]


def answers_by_cls(model: nn.Module) -> bool:
    """Whether what the model says of an image is read from the CLS row."""
    return type(model).__name__ in _BY_CLS


def refuse_attentions(model: Any, args: Any, kwargs: dict[str, Any]) -> None:
    if kwargs.get("output_attentions") or getattr(model.config, "output_attentions", False):
        refuse("E0431", "output_attentions is not supported while an operator is attached: rows leave the sequence")
