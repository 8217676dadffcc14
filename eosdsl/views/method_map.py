"""The map of methods: every group of every spec as a point of the shared space of behaviours (α, τ).

Upwards: α, the share of what is given up that anchors take in; at the bottom everything is dropped (prune). To the
right: τ, from sharp (merge, τ → 0) over soft (reweight) to even (pool, τ → ∞). Where everything is dropped there is no
τ: those methods stand along the bottom, by site.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from html import escape
from math import inf, log10

from eosdsl.ir.nodes import DiscreteProgram, Group, RelaxedProgram, Where
from eosdsl.ir.spell import spell_score
from eosdsl.operators.regimes import regime

SITES = ("encoder", "encoder output", "input", "decoder")
COLOURS = {"encoder": "#b07aa1", "encoder output": "#59a14f", "input": "#f28e2b", "decoder": "#4c78a8"}
WIDTH, LEFT, RIGHT, TOP = 1080, 90, 40, 100
LINE = 17
LETTER = 7.2  # the width of one, on the safe side
SLOPE = 220  # between all and nothing taken in
LEAST, MOST = 0.01, 10.0  # finite τ is drawn on a logarithmic scale between these

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600; font-size: 16px }
  .corner { font-weight: 600; fill: #555 }
  .axis { stroke: #999; stroke-width: 1 }
  .grid { stroke: #ddd; stroke-width: 1; stroke-dasharray: 3 4 }
  .band { fill: #f3f3f3 }
  @media (prefers-color-scheme: dark) { text { fill: #eee } .corner { fill: #bbb } .grid { stroke: #555 } }
  @media (prefers-color-scheme: dark) { .band { fill: #262626 } }
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
    weights: str = ""
    """How much of each regime: `merge`, `0.6 merge + 0.4 prune`."""
    score: str = ""
    """What rates its tokens, as it is written; nothing where the site's default does."""


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
    parts = [(share, kind) for kind, share in place.shares.items() if share > 1e-9]
    weights = parts[0][1] if len(parts) == 1 else " + ".join(f"{share:.3g} {kind}" for share, kind in parts)
    score = "" if group.score is None else spell_score(group.score)
    return Point(name, number, _site(where), round(place.alpha, 6), place.temperature, label, weights, score)


def _site(where: Where) -> str:
    if where.stream == "encoder_output":
        return "encoder output"
    if where.stream == "encoder":
        return "encoder"
    first = where.layers[0]
    return "input" if first.index == 0 and not where.after_attention else "decoder"


@dataclass(frozen=True)
class Cluster:
    """Points of one place, one under the other from (x, y) down so that their names can be read."""

    points: tuple[Point, ...]
    x: float
    y: float

    @property
    def whole(self) -> bool:
        return self.points[0].alpha == 1

    @property
    def right(self) -> float:
        return self.x + 20 + LETTER * max(len(_shown(point)) for point in self.points)

    @property
    def bottom(self) -> float:
        return self.y + LINE * len(self.points)

    def covers(self, other: Cluster) -> bool:
        return self.x - 8 < other.right and other.x - 8 < self.right and self.y < other.bottom and other.y < self.bottom


def _placed(found: Sequence[Point]) -> list[Cluster]:
    """All places with their points: those that take in everything in a band of their own, the others below it by α;
    what would cover another goes below it."""
    spots: dict[tuple[float, float | None], list[Point]] = defaultdict(list)
    for point in found:
        spots[point.alpha, point.temperature].append(point)
    places = sorted(spots.items(), key=lambda spot: (-spot[0][0], _x(spot[0][1])))
    done: list[Cluster] = []
    for (alpha, temperature), points in places:
        band = max((one.bottom for one in done if one.whole), default=TOP + LINE) + 8
        y = TOP if alpha == 1 else band + (1 - alpha) * SLOPE
        done.append(_below(Cluster(tuple(points), _x(temperature), y), done))
    return done


def _below(one: Cluster, others: Sequence[Cluster]) -> Cluster:
    while covered := [other for other in others if one.covers(other)]:
        one = replace(one, y=max(other.bottom for other in covered))
    return one


def _shown(point: Point) -> str:
    return point.label if point.alpha in (0, 1) else f"{point.label}: α {point.alpha:g}"


def svg(found: Sequence[Point]) -> str:
    """The map as one self-contained drawing; a method once at a place, whatever rates its tokens there."""
    found = list({(one.label, one.site, one.alpha, one.temperature): one for one in reversed(found)}.values())[::-1]
    dropped = [point for point in found if point.alpha == 0]
    taken = [point for point in found if point.alpha > 0]
    clusters = _placed(taken)
    band = max((one.bottom for one in clusters if one.whole), default=TOP + LINE) + 8
    base = max(
        [band + (SLOPE if any(not one.whole for one in clusters) else 24), *(one.bottom + 8 for one in clusters)]
    )
    lanes = [[point for point in dropped if point.site == site] for site in SITES]
    height = base + 60 + LINE * (max(map(len, lanes)) + 2)
    width = max([WIDTH, *(one.right + RIGHT for one in clusters)])
    body = [*_frame(band, base), *_legend()]
    for one in clusters:
        body += _cluster(one.x, one.y, one.points)
    for number, (site, lane) in enumerate(zip(SITES, lanes, strict=True)):
        x = LEFT + number * (WIDTH - LEFT - RIGHT) / len(SITES)
        body.append(f'<text class="corner" x="{x:.0f}" y="{base + 44:.0f}">prune, {site}</text>')
        body += _cluster(x, base + 44 + LINE, lane)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}"'
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
        f"<tr><td>{escape(p.label)}</td><td>{p.site}</td><td>{p.weights}</td>"
        f"<td>{p.alpha:g}</td><td>{temperature_text(p)}</td><td>{escape(p.score) or '–'}</td></tr>"
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
<table><thead><tr><th>method (group)</th><th>site</th><th>regime</th><th>α</th><th>τ</th>
<th>score</th></tr></thead><tbody>
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


def _frame(band: float, base: float) -> list[str]:
    """The axes; the band that takes in everything, from the top down to `band`; the rest down to `base`."""
    right = WIDTH - RIGHT
    return [
        f'<rect class="band" x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{band - TOP:.0f}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{base:.0f}"/>',
        f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{base:.0f}" y2="{base:.0f}"/>',
        f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{band:.0f}" y2="{band:.0f}"/>',
        f'<text x="{LEFT - 50}" y="{(TOP + band) / 2 + 4:.0f}">α = 1</text>',
        f'<text x="{LEFT - 50}" y="{base + 4:.0f}">α = 0</text>',
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


def _said(point: Point) -> str:
    by = f", by {point.score}" if point.score else ""
    return f"{point.weights or 'behaviour'} at {point.site}{by}: α = {point.alpha:g}, τ = {temperature_text(point)}"


def _cluster(x: float, y: float, group: Sequence[Point]) -> list[str]:
    return [
        f'<g class="point" data-method="{escape(point.method)}"><circle cx="{x:.1f}" cy="{y + LINE * (n + 0.5):.1f}" '
        f'r="5" fill="{COLOURS[point.site]}"><title>{escape(_said(point))}</title></circle>'
        f'<text x="{x + 11:.1f}" y="{y + LINE * (n + 0.5) + 4:.1f}">{escape(_shown(point))}</text></g>'
        for n, point in enumerate(group)
    ]
