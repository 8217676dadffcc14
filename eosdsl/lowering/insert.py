"""The passes that put reducers into a traced trunk. Uses behind a reducer are rewired; what comes before stays as it
was.

In the decoder's graph a reducer stands in front of a layer, or between a layer's halves, and gives what the layers
behind it are called with. In the tower's graph the stream at the features that the model selects is an output of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from operator import getitem
from typing import Any

from torch import Tensor, fx, nn

from eosdsl.lowering import cells
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cell_layers import CellAttention, CellLayer
from eosdsl.lowering.cell_reducer import CellReducer
from eosdsl.lowering.discrete import Arriving, Reducer, TowerReducer
from eosdsl.lowering.halves import AttentionHalf, KeptAttention, MlpHalf
from eosdsl.lowering.relaxing.reducer import RelaxedReducer
from eosdsl.lowering.side_by_side import joined, with_read
from eosdsl.lowering.stream import Stream
from eosdsl.lowering.trunk import addition_behind, layer_nodes

DECODER = ("attention_mask", "position_embeddings", "position_ids")
LATE = "late"
"""What no layer is called with, but what is added behind it."""
TOWER = ("attention_mask",)

AnyReducer = Reducer | Arriving | TowerReducer | CellReducer | RelaxedReducer


@dataclass(frozen=True)
class Placed:
    """A reducer with its name in the graph; `middle`: between the halves of layer `boundary` - 1."""

    name: str
    reducer: AnyReducer
    middle: bool = False

    @property
    def boundary(self) -> int:
        return self.reducer.plan.boundary


@dataclass
class _Threading:
    """Where the walk over the layers has come to: the stream's node, and what layers are called with there."""

    graph_module: fx.GraphModule
    stream: fx.Node
    parts: dict[str, fx.Node]
    tail: tuple[fx.Node, ...]
    attending: Attending = CAUSAL
    chosen: dict[tuple[fx.Node, str], fx.Node] = field(default_factory=dict[tuple[fx.Node, str], fx.Node])
    entered: dict[int, tuple[fx.Node, ...]] = field(default_factory=dict[int, tuple[fx.Node, ...]])

    def reduce(self, placed: Placed, hidden: fx.Node) -> fx.Node:
        """Call a reducer on the rows of `hidden`; the rows that it leaves."""
        opened = self.call(placed, hidden)
        suffix = placed.name.removeprefix("at_")
        create = self.graph_module.graph.create_node
        parts = {
            part: create("call_function", getattr, (opened, part), name=f"{part}_{suffix}")
            for part in ("hidden", *self.parts)
        }
        left = parts.pop("hidden")
        self.stream, self.parts = opened, parts
        return left

    def call(self, placed: Placed, hidden: fx.Node, stream: fx.Node | None = None) -> fx.Node:
        """The stream behind a reducer, of `stream` or of the one at hand; nothing is rewired."""
        self.graph_module.add_submodule(placed.name, placed.reducer)
        read = () if isinstance(placed.reducer, Arriving) else placed.reducer.plan.inputs_read
        past = {layer: self.entered[layer] for layer in read if layer in self.entered}
        # the stubs of fx know no tuples inside dicts; its codegen does
        arguments = (stream or self.stream, hidden, past, *self.tail)
        return self.graph_module.graph.call_module(placed.name, arguments)  # pyright: ignore[reportArgumentType]

    def parts_of(self, layer: int) -> dict[str, fx.Node]:
        """What a layer is called with here: of what differs between kinds, that of its kind."""
        by_kind = {"attention_mask": self.attending.by_kind, "position_embeddings": self.attending.rotates_by_kind}
        kind = self.attending.kind(layer)
        return {name: self._chosen(part, kind) if by_kind.get(name) else part for name, part in self.parts.items()}

    def _chosen(self, part: fx.Node, kind: str) -> fx.Node:
        if (part, kind) not in self.chosen:
            create = self.graph_module.graph.create_node
            self.chosen[part, kind] = create("call_function", getitem, (part, kind), name=f"{part.name}_{kind}")
        return self.chosen[part, kind]


def insert_into_decoder(
    graph_module: fx.GraphModule, reducers: Sequence[Placed], attending: Attending = CAUSAL
) -> fx.GraphModule:
    """The decoder's graph with `reducers`, those of one boundary in the order that they act. With none it is
    unchanged.
    """
    if not reducers:
        return graph_module
    inputs = _placeholders(graph_module)
    with graph_module.graph.inserting_after(inputs["use_cache"]):
        stream = graph_module.graph.placeholder("stream")
    parts = {name: inputs[name] for name in (*DECODER, LATE) if name in inputs}
    threading = _Threading(graph_module, stream, parts, (inputs["past_key_values"],), attending)
    _walk(threading, reducers, frozenset())
    _clear(graph_module.graph)
    return _finished(graph_module)


@dataclass(frozen=True)
class FeaturesAt:
    """Features are what stands behind `layer` layers of the tower; or, where `reads` names some, behind each of those
    numbers of layers, side by side. `output`: the reducer on them. `late`: what stands behind these numbers of layers
    is read besides, for the decoder's early layers.
    """

    layer: int
    output: Placed | None = None
    reads: tuple[int, ...] = ()
    late: tuple[int, ...] = ()

    @property
    def places(self) -> tuple[int, ...]:
        """What is read, in the order in which it comes; the last of them are the features' own."""
        return tuple(sorted(set(self.reads)))


def insert_into_tower(graph_module: fx.GraphModule, reducers: Sequence[Placed], features: FeaturesAt) -> fx.GraphModule:
    """The tower's graph with `reducers` inside and a reducer at its features.

    It returns the last hidden state and the stream at the features, whose `hidden` they are.
    """
    output = features.output
    inputs = _placeholders(graph_module)
    graph = graph_module.graph
    with graph.inserting_after(inputs["attention_mask"]):
        stream = graph.placeholder("stream")
    threading = _Threading(graph_module, stream, {name: inputs[name] for name in TOWER}, ())
    kept = {layer for one in (*reducers, *([output] if output else [])) for layer in one.reducer.plan.layers_read}
    found = _walk(threading, reducers, kept, features)
    last = next(node for node in graph.nodes if node.op == "output")
    last.args = ((last.args[0], found),)
    return _finished(graph_module)


def with_hidden(stream: Stream, hidden: Tensor) -> Stream:
    """The stream with these rows (a node of the tower's graph)."""
    return stream.beside(hidden)


def _walk(
    threading: _Threading,
    reducers: Sequence[Placed],
    kept: Set[int],
    features_at: FeaturesAt | None = None,
) -> fx.Node | None:
    """Go through the layers, put every reducer in its place; the node of the stream at the features, if asked for."""
    graph = threading.graph_module.graph
    features = None
    nodes = layer_nodes(threading.graph_module)
    for index, node in enumerate(nodes):
        with graph.inserting_before(node):
            if features_at is not None and index in features_at.places[:-1]:
                threading.stream = _on_stream(graph, with_read, threading.stream, _input(node))
            if features_at is not None and index in features_at.late:
                threading.stream = _on_stream(graph, cells.with_read, threading.stream, _input(node))
            for placed in _at(reducers, index, middle=False):
                node.update_arg(0, threading.reduce(placed, _input(node)))
            _call_with(node, threading.parts_of(index))
            between = _at(reducers, index + 1, middle=True)
            threading.entered[index] = (_input(node), threading.stream)
            keeps = index in kept
            out = _split(threading, node, index, between, keeps) if between or keeps else node
            _add_what_is_left(out, threading.parts)
            if features_at is not None and features_at.layer == index + 1:
                features = _features(threading, node, out, features_at)
    return features


def _split(threading: _Threading, node: fx.Node, index: int, between: Sequence[Placed], keeps: bool) -> fx.Node:
    """Put two halves in place of a layer's node, and reducers between them; the node of the second half."""
    module, graph = threading.graph_module, threading.graph_module.graph
    layer = module.get_submodule(str(node.target))
    entered = _input(node)
    first, layer = _attention_half(layer, keeps=keeps)
    module.add_submodule(f"attention_{index}", first)
    half = graph.call_module(f"attention_{index}", node.args, dict(node.kwargs))
    middle = half
    if keeps:
        middle = graph.create_node("call_function", getattr, (half, "hidden"), name=f"middle_{index}")
        threading.entered[index] = (*threading.entered[index], half)
    for placed in between:
        middle = threading.reduce(placed, middle)
    module.add_submodule(f"mlp_{index}", MlpHalf(layer))
    second = graph.call_module(f"mlp_{index}", (entered, middle))
    node.replace_all_uses_with(second)
    graph.erase_node(node)
    return second


def _attention_half(layer: nn.Module, *, keeps: bool) -> tuple[nn.Module, nn.Module]:
    """The first half of a layer, and the layer of the model that the second is called through."""
    if isinstance(layer, CellLayer):
        return CellAttention(layer, keeps=keeps), layer.layer
    return KeptAttention(layer) if keeps else AttentionHalf(layer), layer


def _features(threading: _Threading, node: fx.Node, out: fx.Node, features: FeaturesAt) -> fx.Node:
    graph, stream, hidden = threading.graph_module.graph, threading.stream, out if out is not node else node
    if features.reads:
        order = tuple(features.places.index(place) for place in features.reads)
        with graph.inserting_after(hidden):
            stream = _on_stream(graph, with_read, stream, hidden)
        with graph.inserting_after(stream):
            stream = _on_stream(graph, joined, stream, order)
        with graph.inserting_after(stream):
            hidden = graph.create_node("call_function", getattr, (stream, "hidden"), name="side_by_side")
    if features.layer in features.late:
        with graph.inserting_after(hidden):
            stream = _on_stream(graph, cells.with_read, stream, hidden)
    with graph.inserting_after(stream if features.layer in features.late else hidden):
        if features.output is not None:
            return threading.call(features.output, hidden, stream)
        return _on_stream(graph, with_hidden, stream, hidden)


def _on_stream(graph: fx.Graph, function: Any, *args: Any) -> fx.Node:
    """A node named otherwise than its function, so that the graph as text can call it."""
    return graph.create_node("call_function", function, args, name=f"stream_{function.__name__}")


def _at(reducers: Sequence[Placed], boundary: int, *, middle: bool) -> list[Placed]:
    return [placed for placed in reducers if placed.boundary == boundary and placed.middle is middle]


def _input(node: fx.Node) -> fx.Node:
    hidden = node.args[0]
    assert isinstance(hidden, fx.Node)
    return hidden


def _call_with(node: fx.Node, parts: Mapping[str, fx.Node]) -> None:
    """Have a layer called with these parts of the stream."""
    if not node.kwargs:  # the tower's layers take their mask as the second argument
        node.update_arg(1, parts["attention_mask"])
        return
    for name, part in parts.items():
        if name != LATE:
            node.update_kwarg(name, part)


def _add_what_is_left(node: fx.Node, parts: Mapping[str, fx.Node]) -> None:
    """Have only those visual features added behind a layer whose rows are still there."""
    addition = addition_behind(node)
    if addition is not None:
        addition.update_arg(1, parts[LATE])


def _clear(graph: fx.Graph) -> None:
    """Erase choices by kind that no layer takes any more."""
    for node in reversed(list(graph.nodes)):
        if node.target is getitem and not node.users:
            graph.erase_node(node)


def _placeholders(graph_module: fx.GraphModule) -> dict[str, fx.Node]:
    return {str(node.target): node for node in graph_module.graph.nodes if node.op == "placeholder"}


def _finished(graph_module: fx.GraphModule) -> fx.GraphModule:
    graph_module.graph.lint()
    graph_module.recompile()
    graph_module.delete_all_unused_submodules()
    return graph_module
