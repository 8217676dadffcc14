"""The stages of an operator graph in the order of the forward pass, as drawings take them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import networkx as nx

from eosdsl.views.graph.build import Graph


@dataclass(frozen=True)
class Reducer:
    """A group of a site. `share` of the tokens that arrive, `kept` their number; None where no model says."""

    name: str
    label: str
    score: str | None
    kept: int | None


@dataclass(frozen=True)
class Stage:
    """A place or a site, with what flows in and out for the model's usual image (None where no model says)."""

    name: str
    kind: str
    label: str
    incoming: int | None
    outgoing: int | None
    reducers: tuple[Reducer, ...] = ()


def stages(graph: Graph) -> Iterator[Stage]:
    """Places and sites, first to last."""
    for name in nx.topological_sort(graph):
        kind = graph.nodes[name]["kind"]
        if kind in ("place", "site"):
            yield _stage(graph, name, kind)


def heading(graph: Graph) -> str:
    """`fastv on llava-1.5-7b`."""
    model = graph.graph["model"]
    return f"{graph.graph['name']} on {model}" if model else str(graph.graph["name"])


def _stage(graph: Graph, name: str, kind: str) -> Stage:
    reducers = tuple(_reducer(graph, node) for node in graph.successors(name) if graph.nodes[node]["kind"] == "reducer")
    outgoing = _sum([data["tokens"] for _, _, data in graph.out_edges(name, data=True)])
    incoming = _sum([data["tokens"] for _, _, data in graph.in_edges(name, data=True)])
    if graph.in_degree(name) == 0:
        incoming = outgoing
    if graph.out_degree(name) == 0:
        outgoing = incoming
    return Stage(name, kind, graph.nodes[name]["label"], incoming, outgoing, reducers)


def _reducer(graph: Graph, name: str) -> Reducer:
    score = next((graph.nodes[n]["label"] for n in graph.predecessors(name) if graph.nodes[n]["kind"] == "score"), None)
    return Reducer(name, graph.nodes[name]["label"], score, graph.nodes[name]["kept"])


def _sum(counts: list[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known and len(known) == len(counts) else None
