"""The pass that puts reducers into a traced trunk. Uses behind a reducer are rewired; what comes before stays as it
was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import fx

from eosdsl.lowering.discrete import Reducer
from eosdsl.lowering.trunk import layer_nodes

_REWIRED = ("attention_mask", "position_embeddings", "position_ids")


def insert_reducers(graph_module: fx.GraphModule, reducers: Sequence[Reducer]) -> fx.GraphModule:
    """A graph module with `reducers` (in order of their layers) each in front of its layer.

    Each reducer takes the stream, the hidden state, what it reads of earlier layers, and the cache; it returns the
    stream of the layers behind it. With no reducers the graph is returned unchanged.
    """
    if not reducers:
        return graph_module
    graph = graph_module.graph
    inputs = {node.target: node for node in graph.nodes if node.op == "placeholder"}
    with graph.inserting_after(inputs["use_cache"]):
        stream = graph.placeholder("stream")
    entered: dict[int, tuple[fx.Node, fx.Node]] = {}
    current: dict[str, fx.Node] = {name: inputs[name] for name in _REWIRED}
    at = {reducer.plan.layer: reducer for reducer in reducers}
    for index, node in enumerate(layer_nodes(graph_module)):
        reducer = at.get(index)
        if reducer is not None:
            stream, current = _insert(graph_module, node, reducer, stream, entered, inputs["past_key_values"])
        for name in _REWIRED:
            node.update_kwarg(name, current[name])
        hidden = node.args[0]
        assert isinstance(hidden, fx.Node)
        entered[index] = (hidden, stream)
    graph.lint()
    graph_module.recompile()
    return graph_module


def _insert(
    graph_module: fx.GraphModule,
    layer_node: fx.Node,
    reducer: Reducer,
    stream: fx.Node,
    entered: Mapping[int, tuple[fx.Node, fx.Node]],
    cache: fx.Node,
) -> tuple[fx.Node, dict[str, fx.Node]]:
    """Put one reducer in front of a layer; the new stream, and what the layers behind it are called with."""
    graph = graph_module.graph
    name = f"at_layer_{reducer.plan.layer}"
    graph_module.add_submodule(name, reducer)
    read = {layer: entered[layer] for layer in reducer.layers_read() if layer in entered}
    with graph.inserting_before(layer_node):
        # the type stubs of fx know no tuples inside dicts; its codegen does
        opened = graph.call_module(name, (stream, layer_node.args[0], read, cache))  # pyright: ignore[reportArgumentType]
        parts = {
            part: graph.create_node("call_function", getattr, (opened, part), name=f"{part}_{reducer.plan.layer}")
            for part in ("hidden", *_REWIRED)
        }
    layer_node.update_arg(0, parts.pop("hidden"))
    return opened, parts
