"""The map of methods: every group of every spec as a point of the shared space of behaviours (α, τ).

Upwards: α, the share of what is given up that anchors take in; at the bottom everything is dropped (prune). To the
right: τ, from sharp (merge, τ → 0) over soft (reweight) to even (pool, τ → ∞). Where everything is dropped there is no
τ: those methods stand along the bottom, by site.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from html import escape
from math import inf, log10

from eosdsl.ir.nodes import DiscreteProgram, Group, RelaxedProgram, Where
from eosdsl.operators.regimes import regime

SITES = ("encoder", "encoder output", "input", "decoder")
COLOURS = {"encoder": "#b07aa1", "encoder output": "#59a14f", "input": "#f28e2b", "decoder": "#4c78a8"}
WIDTH, LEFT, RIGHT, TOP = 1080, 90, 40, 100
LINE = 17
LEAST, MOST = 0.01, 10.0  # finite τ is drawn on a logarithmic scale between these

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600; font-size: 16px }
  .corner { font-weight: 600; fill: #555 }
  .axis { stroke: #999; stroke-width: 1 }
  .grid { stroke: #ddd; stroke-width: 1; stroke-dasharray: 3 4 }
  @media (prefers-color-scheme: dark) { text { fill: #eee } .corner { fill: #bbb } .grid { stroke: #555 } }
"""


@dataclass(frozen=True)
class Point:
    """One group of a method. `temperature` None: nothing is taken in, or sharp and even parts are mixed."""

    method: str
    group: int
    site: str
    alpha: float
    temperature: float | None
    label: str


def points(programs: Iterable[DiscreteProgram | RelaxedProgram]) -> list[Point]:
    """Every group with a decided behaviour, once a method, place and group number; in the order of the programs."""
    found: list[Point] = []
    for program in programs:
        several = any(len(step.groups) > 1 for step in program.steps)
        for step in program.steps:
            for number, group in enumerate(step.groups, start=1):
                point = _point(program.name, number, several, step.where, group)
                if point is not None and point not in found:
                    found.append(point)
    return found


def _point(name: str, number: int, several: bool, where: Where, group: Group) -> Point | None:
    place = regime(group.behaviour)
    if place is None:
        return None
    label = f"{name} ({number})" if several else name
    return Point(name, number, _site(where), round(place.alpha, 6), place.temperature, label)


def _site(where: Where) -> str:
    if where.stream == "encoder_output":
        return "encoder output"
    if where.stream == "encoder":
        return "encoder"
    first = where.layers[0]
    return "input" if first.index == 0 and not where.after_attention else "decoder"


def svg(found: Sequence[Point]) -> str:
    """The map as one self-contained drawing."""
    dropped = [point for point in found if point.alpha == 0]
    taken = [point for point in found if point.alpha > 0]
    spots: dict[tuple[float, float | None], list[Point]] = defaultdict(list)
    for point in taken:
        spots[point.alpha, point.temperature].append(point)
    deepest = max((len(group) for group in spots.values()), default=1)
    tall = max(220, LINE * (deepest + 2) + 60)
    base = TOP + tall
    lanes = [[point for point in dropped if point.site == site] for site in SITES]
    height = base + 60 + LINE * (max(map(len, lanes)) + 2)
    body = [*_frame(base), *_legend()]
    for (alpha, temperature), group in sorted(spots.items(), key=lambda spot: spot[0][0], reverse=True):
        body += _cluster(_x(temperature), TOP + (1 - alpha) * tall, group)
    for number, (site, lane) in enumerate(zip(SITES, lanes, strict=True)):
        x = LEFT + number * (WIDTH - LEFT - RIGHT) / len(SITES)
        body.append(f'<text class="corner" x="{x:.0f}" y="{base + 44}">prune, {site}</text>')
        body += _cluster(x, base + 44 + LINE, lane)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' role="img" aria-label="Map of methods">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="{LEFT}" y="28">Methods as points of one space: how much is taken in (α), '
            "how sharply (τ)</text>",
            *body,
            "</svg>",
        ]
    )


def page(found: Sequence[Point]) -> str:
    """The map and its points as a table, one self-contained HTML page."""
    rows = "\n".join(
        f"<tr><td>{escape(p.label)}</td><td>{p.site}</td><td>{p.alpha:g}</td><td>{temperature_text(p)}</td></tr>"
        for p in found
    )
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Map of methods</title>
<style>
  body {{ font: 15px system-ui, sans-serif; max-width: 1120px; margin: 2em auto; padding: 0 1em }}
  .drawing {{ overflow-x: auto }} td, th {{ text-align: left; padding: .3em 1.2em .3em 0 }}
  @media (prefers-color-scheme: dark) {{ body {{ background: #181818; color: #eee }} }}
</style></head><body>
<h1>Map of methods</h1>
<div class="drawing">{svg(found)}</div>
<table><thead><tr><th>method (group)</th><th>site</th><th>α</th><th>τ</th></tr></thead><tbody>
{rows}
</tbody></table>
</body></html>"""


def as_json(found: Sequence[Point]) -> str:
    """The points as a list of objects; τ is a number, "infinity" or null."""
    rows = [
        {**asdict(point), "temperature": "infinity" if point.temperature == inf else point.temperature}
        for point in found
    ]
    return json.dumps(rows, indent=2, ensure_ascii=False)


def temperature_text(point: Point) -> str:
    if point.temperature is None:
        return "–"
    return "∞" if point.temperature == inf else f"{point.temperature:g}"


def _x(temperature: float | None) -> float:
    """Where a τ stands: 0 at the left edge, ∞ at the right, finite ones between; a mixture of both in the middle."""
    left, right = LEFT + 10.0, WIDTH - RIGHT - 210.0
    if temperature is None:
        return (left + right) / 2
    if temperature in (0.0, inf):
        return left if temperature == 0 else right
    share = (log10(min(max(temperature, LEAST), MOST)) - log10(LEAST)) / (log10(MOST) - log10(LEAST))
    return left + 230 + share * (right - left - 400)


def _frame(base: float) -> list[str]:
    right = WIDTH - RIGHT
    return [
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{base}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{base}" y2="{base}"/>',
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{TOP}" y2="{TOP}"/>',
        f'<text x="{LEFT - 50}" y="{TOP + 4}">α = 1</text>',
        f'<text x="{LEFT - 50}" y="{base + 4}">α = 0</text>',
        f'<text class="corner" x="{LEFT + 10}" y="{TOP - 14}">merge (τ → 0)</text>',
        f'<text class="corner" x="{(LEFT + right) / 2 - 110:.0f}" y="{TOP - 14}">reweight (τ, or both mixed)</text>',
        f'<text class="corner" x="{right - 210}" y="{TOP - 14}">pool (τ → ∞)</text>',
    ]


def _legend() -> list[str]:
    parts: list[str] = []
    for number, site in enumerate(SITES):
        x = LEFT + number * 140
        parts.append(f'<circle cx="{x}" cy="52" r="5" fill="{COLOURS[site]}"/><text x="{x + 12}" y="56">{site}</text>')
    return parts


def _cluster(x: float, y: float, group: Sequence[Point]) -> list[str]:
    """Points of one place, one under the other so that their names can be read."""
    return [
        f'<g class="point" data-method="{escape(point.method)}"><circle cx="{x:.1f}" cy="{y + LINE * (n + 0.5):.1f}" '
        f'r="5" fill="{COLOURS[point.site]}"><title>α = {point.alpha:g}, τ = {temperature_text(point)}</title></circle>'
        f'<text x="{x + 11:.1f}" y="{y + LINE * (n + 0.5) + 4:.1f}">{escape(point.label)}</text></g>'
        for n, point in enumerate(group)
    ]
