"""The operator graph for Mermaid, which GitHub draws in Markdown."""

from __future__ import annotations

from eosdsl.views.graph.build import Graph
from eosdsl.views.graph.order import heading

_BRACKETS = {"place": ("([", "])"), "site": ("[", "]"), "reducer": ("(", ")"), "score": ("[/", "/]")}
_WIDEST = 12.0  # pixels


def mermaid(graph: Graph) -> str:
    """A flowchart, left to right; links are as wide as tokens flow."""
    lines = ["---", f"title: {_plain(heading(graph))}", "---", "flowchart LR"]
    for name, data in graph.nodes(data=True):
        left, right = _BRACKETS[data["kind"]]
        lines.append(f"  {name}{left}{_quoted(data['label'])}{right}")
    most = max((data["tokens"] or 0 for _, _, data in graph.edges(data=True)), default=0)
    styles: list[str] = []
    for number, (start, end, data) in enumerate(graph.edges(data=True)):
        if data["kind"] == "reads":
            lines.append(f"  {start} -.-> {end}")
            continue
        label = f"|{data['tokens']}|" if data["tokens"] is not None else ""
        lines.append(f"  {start} -->{label} {end}")
        if data["tokens"] is not None:
            styles.append(f"  linkStyle {number} stroke-width:{max(_WIDEST * data['tokens'] / max(most, 1), 1):.1f}px")
    return "\n".join([*lines, *styles])


def _quoted(text: str) -> str:
    return '"' + text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace("\n", " ") + '"'


def _plain(text: str) -> str:
    return text.replace("\n", " ").replace(":", " ")
