"""The operator graph as a tree of text."""

from __future__ import annotations

from collections.abc import Sequence

from eosdsl.views.graph.build import Graph
from eosdsl.views.graph.order import Reducer, Stage, heading, stages


def tree(graph: Graph) -> str:
    """One line a place or site, its reducers below it, the scores that they read below them."""
    lines = [heading(graph)]
    rows = list(stages(graph))
    for place, stage in enumerate(rows):
        last = place == len(rows) - 1
        lines.append(("└─ " if last else "├─ ") + _flow(stage))
        lines.extend(("   " if last else "│  ") + line for line in _below(stage.reducers))
    return "\n".join(lines)


def _flow(stage: Stage) -> str:
    if stage.incoming is None or stage.outgoing is None:
        return stage.label
    if stage.kind == "place" and stage.incoming == stage.outgoing:
        return f"{stage.label}: {stage.outgoing} tokens"
    return f"{stage.label}: {stage.incoming} → {stage.outgoing} tokens"


def _below(reducers: Sequence[Reducer]) -> list[str]:
    lines: list[str] = []
    for place, reducer in enumerate(reducers):
        last = place == len(reducers) - 1
        lines.append(("└─ " if last else "├─ ") + reducer.label)
        if reducer.score is not None:
            lines.append(("   " if last else "│  ") + f"└─ by {reducer.score}")
    return lines
