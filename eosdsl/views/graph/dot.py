"""The operator graph for Graphviz."""

from __future__ import annotations

from typing import Any

from eosdsl.views.graph.build import Graph
from eosdsl.views.graph.order import heading

_SHAPES = {"place": "plaintext", "site": "box", "reducer": "ellipse", "score": "note"}
_WIDEST = 12.0  # points


def dot(graph: Graph) -> str:
    """A digraph, left to right; the pen is as wide as tokens flow."""
    most = max((data["tokens"] or 0 for _, _, data in graph.edges(data=True)), default=0)
    lines = [f"digraph {_quoted(graph.graph['name'])} {{", "  rankdir=LR;", f"  label={_quoted(heading(graph))};"]
    for name, data in graph.nodes(data=True):
        lines.append(f"  {name} [label={_quoted(data['label'])}, shape={_SHAPES[data['kind']]}];")
    for start, end, data in graph.edges(data=True):
        lines.append(f"  {start} -> {end}{_style(data, most)};")
    return "\n".join([*lines, "}"])


def _style(data: dict[str, Any], most: int) -> str:
    if data["kind"] == "reads":
        return " [style=dashed]"
    if data["tokens"] is None:
        return ""
    width = max(_WIDEST * data["tokens"] / max(most, 1), 0.5)
    return f' [label="{data["tokens"]}", penwidth={width:.2f}]'


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
