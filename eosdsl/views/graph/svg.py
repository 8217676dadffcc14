"""The operator graph as a drawing: a band from left to right, as wide as tokens flow, narrowing at every site."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from itertools import pairwise

from eosdsl.views.graph.build import Graph
from eosdsl.views.graph.order import Stage, heading, stages

STEP = 190  # pixels from one stage to the next
MARGIN = 70
TITLE = 30  # pixels that the title takes
WIDEST = 160  # pixels that the widest flow is drawn with
THINNEST = 3
LINE = 15
LETTERS = 29  # so many fit into a line of a note, and
NAME_LETTERS = 22  # so many into a line of a name

STYLE = """
  .band { fill: #4c78a8; fill-opacity: .75 }
  .site { stroke: #222; stroke-width: 1.5 }
  .name { font: 600 13px system-ui, sans-serif; fill: #222; text-anchor: middle }
  .count { font: 12px system-ui, sans-serif; fill: #222; text-anchor: middle }
  .note { font: 11px system-ui, sans-serif; fill: #555; text-anchor: middle }
  .title { font: 600 16px system-ui, sans-serif; fill: #222 }
  @media (prefers-color-scheme: dark) {
    .name, .count, .title { fill: #eee } .note { fill: #bbb } .site { stroke: #eee }
  }
"""


@dataclass(frozen=True)
class _Placed:
    """A stage, where it stands, and how wide the band is before and after it. `top`: where the widest band begins."""

    stage: Stage
    x: int
    top: int
    before: float
    after: float

    @property
    def middle(self) -> float:
        return self.top + WIDEST / 2


def svg(graph: Graph, *, titled: bool = True) -> str:
    """A self-contained drawing. Where no model is named the band has one width: what flows is not known."""
    rows = list(stages(graph))
    most = max((count for stage in rows for count in (stage.incoming, stage.outgoing) if count is not None), default=0)
    names = [_wrapped(stage.label, NAME_LETTERS) for stage in rows]
    top = TITLE * titled + 30 + LINE * max(map(len, names), default=1)
    placed = [
        _Placed(stage, MARGIN + STEP * number, top, _width(stage.incoming, most), _width(stage.outgoing, most))
        for number, stage in enumerate(rows)
    ]
    notes = [_notes(stage) for stage in rows]
    height = top + WIDEST + 40 + LINE * max(map(len, notes), default=0)
    width = 2 * MARGIN + STEP * max(len(rows) - 1, 1)
    written = zip(placed, names, notes, strict=True)
    body = [*_bands(placed), *(_stage(one, name, lines) for one, name, lines in written)]
    title = escape(heading(graph))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
            f' role="img" aria-label="{title}">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="{MARGIN // 2}" y="30">{title}</text>' if titled else "",
            *body,
            "</svg>",
        ]
    )


def _width(count: int | None, most: int) -> float:
    if count is None or most == 0:
        return WIDEST / 4
    return max(WIDEST * count / most, THINNEST if count else 0)


def _bands(placed: list[_Placed]) -> list[str]:
    """The band between each two stages: as wide as what leaves the one and enters the next."""
    bands: list[str] = []
    for one, following in pairwise(placed):
        middle, left, right = one.middle, one.after / 2, following.before / 2
        points = (
            f"{one.x},{middle - left:.1f} {following.x},{middle - right:.1f} "
            f"{following.x},{middle + right:.1f} {one.x},{middle + left:.1f}"
        )
        count = one.stage.outgoing
        tip = f"<title>{count} tokens</title>" if count is not None else ""
        bands.append(f'<polygon class="band" points="{points}">{tip}</polygon>')
    return bands


def _stage(one: _Placed, name: list[str], notes: list[str]) -> str:
    middle, bottom = one.middle, one.top + WIDEST + 22
    half = max(one.before, one.after) / 2 + 8
    lines = [
        f'<text class="name" x="{one.x}" y="{one.top - 28 - LINE * above}">{escape(line)}</text>'
        for above, line in enumerate(reversed(name))
    ]
    count = _count(one.stage)
    if count:
        lines.append(f'<text class="count" x="{one.x}" y="{one.top - 11}">{count}</text>')
    if one.stage.kind == "site":
        lines.append(
            f'<line class="site" x1="{one.x}" x2="{one.x}" y1="{middle - half:.1f}" y2="{middle + half:.1f}"/>'
        )
    for number, note in enumerate(notes):
        lines.append(f'<text class="note" x="{one.x}" y="{bottom + LINE * number}">{escape(note)}</text>')
    return f'<g data-stage="{escape(one.stage.name)}">' + "".join(lines) + "</g>"


def _count(stage: Stage) -> str:
    if stage.incoming is None or stage.outgoing is None:
        return ""
    return f"{stage.outgoing}" if stage.incoming == stage.outgoing else f"{stage.incoming} → {stage.outgoing}"


def _notes(stage: Stage) -> list[str]:
    """What is written below a site: its reducers and what they read, in short lines."""
    lines: list[str] = []
    for reducer in stage.reducers:
        lines += _wrapped(reducer.label)
        if reducer.score is not None:
            lines += _wrapped(f"by {reducer.score}")
    return lines


def _wrapped(text: str, letters: int = LETTERS) -> list[str]:
    from textwrap import wrap

    return wrap(text, letters) or [""]
