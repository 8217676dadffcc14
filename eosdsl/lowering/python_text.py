"""The rewritten graph as Python that a person reads. The same program on the same model gives the same text."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any

from torch import fx

from eosdsl.ir.nodes import Mix
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.ir.spell import spell_call, spell_score, spell_value
from eosdsl.lowering.discrete import Reducer

_WIDTH = 118


def graph_text(graph: fx.GraphModule, schedule: Schedule) -> str:
    """A commented `forward(self, …)` of the decoder's trunk, its reducers included."""
    lines = list(_header(graph, schedule))
    body = [line for node in graph.graph.nodes for line in _node(node)]
    arguments = ", ".join(["self", *(str(node.target) for node in graph.graph.nodes if node.op == "placeholder")])
    return "\n".join([*lines, "", "", *_wrapped(f"def forward({arguments}):", ""), *body]) + "\n"


def _header(graph: fx.GraphModule, schedule: Schedule) -> Iterator[str]:
    yield f"# The decoder of {schedule.model.name} with {schedule.name}: from embedded rows to normed rows."
    yield "# layer_0, layer_1, … and norm are the model's own modules, called as it calls them. `stream` says which"
    yield "# rows are visual tokens of which image; every at_layer_… returns the stream of the layers behind it."
    yield "# This file is for reading: eosdsl.load compiles operator.eos again."
    for module in graph.children():
        if not isinstance(module, Reducer):
            continue
        site = module.plan.site
        yield "#"
        yield f"# at_layer_{site.site.layer}: {site.incoming} -> {site.retained} visual tokens an image"
        for group in site.groups:
            yield from textwrap.wrap(_group(group), _WIDTH, initial_indent="#   ", subsequent_indent="#   ")


def _group(group: BoundGroup) -> str:
    behaviour = group.behaviour
    if isinstance(behaviour, Mix):
        parts = ", ".join(f"{spell_value(part.share)} {spell_call(part.behaviour)}" for part in behaviour.parts)
        via = f"mix({parts})"
    else:
        via = spell_value(behaviour)
    return f"{group.count} by {spell_score(group.score)} pick {spell_call(group.pick)} via {via}"


def _node(node: fx.Node) -> list[str]:
    if node.op == "call_module":
        given = [*(_argument(one) for one in node.args), *(f"{k}={_argument(v)}" for k, v in node.kwargs.items())]
        return _wrapped(f"{node.name} = self.{node.target}({', '.join(given)})", "    ")
    if node.op == "call_function":
        owner, part = node.args
        return [f"    {node.name} = {_argument(owner)}.{part}"]
    return [f"    return {_argument(node.args[0])}"] if node.op == "output" else []


def _argument(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key!r}: {_argument(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple):
        return "(" + ", ".join(_argument(one) for one in value) + ")"
    return value.name if isinstance(value, fx.Node) else repr(value)


def _wrapped(line: str, indent: str) -> list[str]:
    return textwrap.wrap(line, _WIDTH, initial_indent=indent, subsequent_indent=indent + "    ", break_long_words=False)
