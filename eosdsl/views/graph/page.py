"""The operator graph as one self-contained HTML page: the drawing, and a table of what happens at each site."""

from __future__ import annotations

from html import escape

from eosdsl.views.graph.build import Graph
from eosdsl.views.graph.order import Stage, heading, stages
from eosdsl.views.graph.svg import svg

_STYLE = """
  :root { color-scheme: light dark }
  body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 75rem; padding: 0 1rem }
  figure, .table { margin: 0; overflow-x: auto }
  table { border-collapse: collapse; margin-top: 1.5rem; width: 100% }
  th, td { border-bottom: 1px solid #8886; padding: .35rem .6rem; text-align: left; vertical-align: top }
  .number { text-align: right; font-variant-numeric: tabular-nums }
  code { font-size: .92em }
"""


def page(graph: Graph, spec: str = "") -> str:
    """An HTML document that loads nothing from anywhere; `spec` is the text of the spec, shown below."""
    title = escape(heading(graph))
    source = f"<details><summary>Spec</summary><pre><code>{escape(spec)}</code></pre></details>" if spec else ""
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en">',
            f'<head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<style>{_STYLE}</style></head>",
            f"<body><h1>{title}</h1>",
            f"<figure>{svg(graph, titled=False)}</figure>",
            _table(list(stages(graph))),
            source,
            "</body></html>",
        ]
    )


def _table(rows: list[Stage]) -> str:
    columns = (("Where", "text"), ("Arrive", "number"), ("Leave", "number"), ("What happens", "text"), ("By", "text"))
    head = "".join(f'<th class="{kind}">{name}</th>' for name, kind in columns)
    body = "".join(map(_row, rows))
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _row(stage: Stage) -> str:
    happens = "<br>".join(f"<code>{escape(reducer.label)}</code>" for reducer in stage.reducers)
    by = "<br>".join(f"<code>{escape(reducer.score or '')}</code>" for reducer in stage.reducers)
    cells = (
        f"<td>{escape(stage.label)}</td>",
        f'<td class="number">{_number(stage.incoming)}</td>',
        f'<td class="number">{_number(stage.outgoing)}</td>',
        f"<td>{happens}</td>",
        f"<td>{by}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _number(count: int | None) -> str:
    return "" if count is None else str(count)
