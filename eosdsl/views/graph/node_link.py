"""The operator graph as JSON: networkx's node-link form, versioned."""

from __future__ import annotations

import json

import networkx as nx

from eosdsl.views.graph.build import Graph

VERSION = 1


def node_link(graph: Graph) -> str:
    """`{"version": 1, "graph": {nodes, edges, …}}`; `networkx.node_link_graph(…["graph"], edges="edges")` reads it."""
    data = nx.node_link_data(graph, edges="edges")
    return json.dumps({"version": VERSION, "graph": data}, indent=2, ensure_ascii=False)
