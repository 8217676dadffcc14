"""The vision tower while a relaxed program reduces in it: all rows stay, and what faded is faint in the decoder too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, fx
from torch.nn import functional as F
from transformers.modeling_outputs import BaseModelOutput

from eosdsl.lowering.anatomy import Tower
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.forward import soft_stream
from eosdsl.lowering.relaxing.session import Session, TowerLeft
from eosdsl.lowering.relaxing.stream import SoftStream
from eosdsl.lowering.tower import entering_tower, selected


@dataclass(frozen=True)
class SoftTower:
    """The tower's graph with relaxed reducers in it."""

    graph: fx.GraphModule
    tower: Tower


def relaxed_encoder(soft: SoftTower, session: Session, forward: Callable[..., Any]) -> Callable[..., Any]:
    """The forward of the tower's stack of layers within a forward of the whole model; else the tower's own."""

    @wraps(forward)
    def relaxed(inputs_embeds: Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        if session.values is None or session.tower is not None:
            return forward(inputs_embeds, attention_mask=attention_mask, **kwargs)
        if attention_mask is not None:
            refuse("E0521", "an attention mask in the vision tower is not supported while a program is relaxed")
        stream = soft_stream(entering_tower(inputs_embeds, soft.tower, ()), session.values)
        last, features = soft.graph(inputs_embeds, attention_mask, stream)
        session.tower = _left(features, soft.tower)
        session.features = selected(features, soft.tower)
        return BaseModelOutput(last_hidden_state=last)

    return relaxed


def relaxed_projector(session: Session) -> Callable[..., Any]:
    """A pre-hook that hands the projector the features of the relaxed tower."""

    def take(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        features, session.features = session.features, None
        return None if features is None else (features, *args[1:])

    return take


def _left(stream: SoftStream, tower: Tower) -> TowerLeft:
    """Presence and sizes of the features; a leading row that is among them is whole."""
    assert stream.log_presence is not None and stream.sizes is not None
    staying = tower.leading - tower.dropped
    presence = F.pad(stream.log_presence, (staying, 0))
    sizes = torch.nn.functional.pad(stream.sizes, (staying, 0), value=1.0)
    return TowerLeft(presence, sizes, stream.ledger, stream.unreduced[0])
