"""The rewritten graphs as Python that a person reads. The same program on the same model gives the same text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from operator import getitem
from typing import Any

from torch import fx

from eosdsl.ir.nodes import Mix
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.ir.spell import spell_call, spell_score, spell_value
from eosdsl.lowering.build import Lowered
from eosdsl.lowering.cell_reducer import CellReducer
from eosdsl.lowering.discrete import Reducer, TowerReducer

_WIDTH = 118


def graph_text(lowered: Lowered, schedule: Schedule) -> str:
    """A commented `forward(self, …)` of the decoder's trunk, and a `tower(self, …)` where the tower is reduced."""
    model, name = schedule.model.name, schedule.name
    part, end = ("decoder", "normed rows") if schedule.model.decoder.layers else ("encoder", "those of its last layer")
    lines = [
        f"# The {part} of {model} with {name}: from embedded rows to {end}.",
        "# layer_0, layer_1, … and norm are the model's own modules, called as it calls them. `stream` says which",
        "# rows are visual tokens of which image; every at_… returns the stream of the layers behind it.",
        "# This file is for reading: eosdsl.load compiles operator.eos again.",
        *_reducers(lowered.graph),
        *_imports(lowered),
        *_function("forward", lowered.graph),
    ]
    if lowered.tower is not None:
        lines += [
            "",
            "",
            f"# The vision tower of {model} with {name}: its last hidden state, and the stream at the features.",
            *_reducers(lowered.tower.graph),
            *_function("tower", lowered.tower.graph),
        ]
    return "\n".join(lines) + "\n"


def _imports(lowered: Lowered) -> Iterator[str]:
    """Of the functions that nodes call, but for those of Python itself."""
    graphs = [lowered.graph, *([] if lowered.tower is None else [lowered.tower.graph])]
    nodes: list[Any] = [node for one in graphs for node in one.graph.nodes if node.op == "call_function"]
    called = {(node.target.__module__, node.target.__name__) for node in nodes if node.target not in (getattr, getitem)}
    if called:
        yield ""
    yield from (f"from {module} import {name}" for module, name in sorted(called))


def _function(name: str, graph: fx.GraphModule) -> Iterator[str]:
    arguments = ", ".join(["self", *(str(node.target) for node in graph.graph.nodes if node.op == "placeholder")])
    yield from ("", "")
    yield from _wrapped(f"def {name}({arguments}):", "")
    for node in graph.graph.nodes:
        yield from _node(node)


def _reducers(graph: fx.GraphModule) -> Iterator[str]:
    for name, module in graph.named_children():
        if not isinstance(module, Reducer | TowerReducer | CellReducer):
            continue
        site = module.plan.site
        yield "#"
        yield f"# {name}: {site.incoming} -> {site.retained} tokens an image"
        for group in site.groups:
            yield from textwrap.wrap(_group(group), _WIDTH, initial_indent="#   ", subsequent_indent="#   ")


def _group(group: BoundGroup) -> str:
    behaviour = group.behaviour
    if isinstance(behaviour, Mix):
        parts = ", ".join(f"{spell_value(part.share)} {spell_call(part.behaviour)}" for part in behaviour.parts)
        via = f"mix({parts})"
    else:
        via = spell_value(behaviour)
    count = group.count if group.count is not None else "as many as the image decides"
    return f"{count} by {spell_score(group.score)} pick {spell_call(group.pick)} via {via}"


def _node(node: fx.Node) -> list[str]:
    if node.op == "output":
        return [f"    return {_argument(node.args[0])}"]
    if node.op == "call_function" and node.target is getattr:
        owner, part = node.args
        return [f"    {node.name} = {_argument(owner)}.{part}"]
    if node.op == "call_function" and node.target is getitem:
        owner, key = node.args
        return [f"    {node.name} = {_argument(owner)}[{key!r}]"]
    called = f"self.{node.target}" if node.op == "call_module" else getattr(node.target, "__name__", "")
    given = [*(_argument(one) for one in node.args), *(f"{k}={_argument(v)}" for k, v in node.kwargs.items())]
    return [] if node.op == "placeholder" else _wrapped(f"{node.name} = {called}({', '.join(given)})", "    ")


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_argument(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_argument(one) for one in value) + ("," if len(value) == 1 else "") + ")"
    return value.name if isinstance(value, fx.Node) else repr(value)


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False)
