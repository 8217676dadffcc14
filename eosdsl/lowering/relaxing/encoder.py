"""An image encoder that stands alone while a relaxed program is attached: all rows stay, and fade."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from torch import Tensor, fx, nn

from eosdsl.lowering.encoder import Encoder, answers_by_cls, refuse_attentions
from eosdsl.lowering.halves import divisible
from eosdsl.lowering.refusals import refuse, refuse_without_weights
from eosdsl.lowering.relaxing.forward import soft_stream
from eosdsl.lowering.relaxing.session import Session
from eosdsl.lowering.restoring import Restoring
from eosdsl.lowering.tower import entering_tower


def relaxed_layers(encoder: Encoder, graph: fx.GraphModule, split: Iterable[nn.Module], session: Session) -> Restoring:
    """Put the graph in the place of the encoder's layers; `split`: layers that it runs in halves.

    Raises:
        SpecError: E0430 where the model carries an operator already; E0521 where its answer comes from all rows, those
            that faded among them.
    """
    if encoder.layers in vars(encoder.tower.stack):
        refuse("E0430", "the model already carries an operator", "detach the first one")
    if not answers_by_cls(encoder.model):
        refuse(
            "E0521",
            f"{type(encoder.model).__name__} answers by all of its rows, and while a program is relaxed rows only fade",
            "train on a model that answers by its CLS row",
        )
    patches = Restoring()
    for layer in split:
        patches.replace(layer, "forward", divisible(layer, layer.forward))
    patches.replace(encoder.tower.stack, encoder.layers, [_all_layers(encoder, graph, session)])
    patches.handles.append(encoder.model.register_forward_pre_hook(refuse_attentions, with_kwargs=True))
    return patches


def _all_layers(encoder: Encoder, graph: fx.GraphModule, session: Session) -> Any:
    def run(hidden: Tensor, attention_mask: Any = None, **_: Any) -> Tensor:
        """hidden [B, L, D] → [B, L, D]."""
        refuse_without_weights(encoder.model)
        if attention_mask is not None:
            refuse("E0521", "an attention mask in an image encoder is not supported while a program is relaxed")
        tower = replace(encoder.tower, features=hidden.shape[1] - encoder.tower.leading)
        stream = soft_stream(entering_tower(hidden, tower, ()), session.begin())
        return graph(hidden, None, stream)[1].hidden

    return run
