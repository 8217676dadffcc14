"""Our own trunks: a loop over a model's layers. These are what is traced, never a forward of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from typing import Any

from torch import Tensor, fx, nn

from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cache_name import CACHE
from eosdsl.lowering.late import AddLate

LAYER = "layer_{}"
LATE = "late_{}"
"""How a layer is called in the graph, and what is added behind it."""


class Trunk(nn.Module):
    """Decoder layers and last norm, called as transformers calls them: with the mask and the rotary embeddings of their
    kind, where those differ.
    """

    def __init__(self, layers: Sequence[nn.Module], norm: nn.Module, attending: Attending = CAUSAL) -> None:
        super().__init__()
        self.names = _add_layers(self, layers)
        self.norm = norm
        self.attending = attending

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Any,
        position_embeddings: Any,
        position_ids: Tensor | None,
        past_key_values: Any,
        use_cache: bool,
    ) -> Tensor:
        """hidden_states [B, L, D] → [B, L, D] after the norm."""
        kinds = dict.fromkeys(self.attending.kinds)
        masks = {kind: attention_mask[kind] for kind in kinds} if self.attending.by_kind else {}
        ropes = {kind: position_embeddings[kind] for kind in kinds} if self.attending.rotates_by_kind else {}
        for index, name in enumerate(self.names):
            kind = self.attending.kind(index)
            hidden_states = getattr(self, name)(
                hidden_states,
                attention_mask=masks.get(kind, attention_mask),
                position_embeddings=ropes.get(kind, position_embeddings),
                position_ids=position_ids,
                **{CACHE: past_key_values},
                use_cache=use_cache,
            )
        return self.norm(hidden_states)


class LateTrunk(Trunk):
    """A decoder that adds visual features to its visual rows behind each of its first `late` layers."""

    def __init__(self, layers: Sequence[nn.Module], norm: nn.Module, late: int) -> None:
        super().__init__(layers, norm)
        self.additions = [LATE.format(index) for index in range(late)]
        for index, name in enumerate(self.additions):
            self.add_module(name, AddLate(index))

    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]  # traced, and called by keywords only
        self,
        hidden_states: Tensor,
        attention_mask: Any,
        position_embeddings: tuple[Tensor, Tensor],
        position_ids: Tensor | None,
        past_key_values: Any,
        use_cache: bool,
        late: Any,
    ) -> Tensor:
        """hidden_states [B, L, D] → [B, L, D] after the norm."""
        for name, addition in zip_longest(self.names, self.additions):
            hidden_states = getattr(self, name)(
                hidden_states,
                attention_mask=attention_mask,
                position_embeddings=position_embeddings,
                position_ids=position_ids,
                **{CACHE: past_key_values},
                use_cache=use_cache,
            )
            if addition is not None:
                hidden_states = getattr(self, addition)(hidden_states, late)
        return self.norm(hidden_states)


class TowerTrunk(nn.Module):
    """Encoder layers, called as transformers calls them."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.names = _add_layers(self, layers)

    def forward(self, hidden_states: Tensor, attention_mask: Any) -> Tensor:
        """hidden_states [G, L, D] → [G, L, D]."""
        for name in self.names:
            hidden_states = getattr(self, name)(hidden_states, attention_mask)
        return hidden_states


class _Layers(fx.Tracer):
    """Every layer is a leaf: what happens inside stays transformers' business."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return True


def trace(trunk: Trunk | TowerTrunk) -> fx.GraphModule:
    """The trunk as a graph: one node for each layer, in order."""
    graph = _Layers().trace(trunk)
    for node in graph.nodes:
        node.type = None  # annotations of Python are noise in a graph that is read as Python
    return fx.GraphModule(trunk, graph, class_name=type(trunk).__name__)


def layer_nodes(graph_module: fx.GraphModule) -> list[fx.Node]:
    """The nodes that call layers, in order."""
    start = LAYER.format("")
    return [n for n in graph_module.graph.nodes if n.op == "call_module" and str(n.target).startswith(start)]


def decoder_trunk(layers: Sequence[nn.Module], norm: nn.Module, late: int, attending: Attending) -> Trunk:
    """The trunk of a decoder; `late`: behind so many of its layers visual features are added again."""
    return LateTrunk(layers, norm, late) if late else Trunk(layers, norm, attending)


def addition_behind(node: fx.Node) -> fx.Node | None:
    """The node that adds visual features to what a layer gives, if there is one."""
    start = LATE.format("")
    return next((user for user in node.users if user.op == "call_module" and str(user.target).startswith(start)), None)


def _add_layers(trunk: nn.Module, layers: Sequence[nn.Module]) -> list[str]:
    names = [LAYER.format(index) for index in range(len(layers))]
    for name, layer in zip(names, layers, strict=True):
        trunk.add_module(name, layer)
    return names
