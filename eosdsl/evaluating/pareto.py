"""Accuracy against tokens as one drawing: every side a point, a method's points joined, the front drawn through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import log2
from typing import TYPE_CHECKING

from eosdsl.evaluating.published import MODEL
from eosdsl.evaluating.sides import BLIND, FULL, NO_TOKENS
from eosdsl.evaluating.table import headline, of_task, title

if TYPE_CHECKING:
    from eosdsl.evaluating.evaluate import Evaluation
    from eosdsl.evaluating.published import Published

WIDTH, HEIGHT = 1080, 620
LEFT, RIGHT, TOP, BOTTOM = 70, 250, 70, 60
COLOURS = ("#4c78a8", "#f28e2b", "#59a14f", "#b07aa1", "#e15759", "#76b7b2", "#9c755f", "#bab0ac", "#d4a017", "#af3c6b")
CONTROLS = ("random", "uniform", "downsample", "lowres", "pooling")
_LEAST = 1 / 256
_NAMED = 16
"""Cited points with names: more would lie over each other."""
_LABELS = 13
"""Pixels between names at the right edge, fewer where there are too many for that."""

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #222 }
  .title { font-weight: 600; font-size: 15px } .small { font-size: 11px; fill: #666 }
  .floor { stroke: #999; stroke-dasharray: 2 3 }
  .axis { stroke: #999 } .grid { stroke: #ddd } .front { fill: none; stroke: #222; stroke-width: 2.5; opacity: .35 }
  .cited { fill: none; stroke: #888; stroke-width: 1.2 } .cited-name { fill: #888; font-size: 10px; font-style: italic }
  @media (prefers-color-scheme: dark) {
    text { fill: #eee } .small { fill: #aaa } .grid { stroke: #444 } .front { stroke: #fff } }
"""


@dataclass(frozen=True, slots=True)
class Spot:
    """One side in the plane: share of the visual tokens that enter, accuracy relative to the full model's."""

    side: str
    method: str
    share: float
    height: float
    tip: str


def spots(made: Evaluation) -> list[Spot]:
    """Every side but those that see nothing, by measured tokens; heights are accuracies where there is no relative."""
    found: list[Spot] = []
    for cell in of_task(made, headline(made)).values():
        if cell.side in (BLIND, NO_TOKENS):
            continue
        height = cell.accuracy if cell.relative is None else cell.relative
        tip = f"{cell.side}: {cell.accuracy:.1%} at {cell.tokens:.4g} tokens"
        found.append(Spot(cell.side, cell.method, cell.tokens / made.visual_tokens, height, tip))
    return found


def front(found: Sequence[Spot]) -> list[Spot]:
    """The sides that none beats in both: no more tokens, and higher. By rising tokens."""
    best: list[Spot] = []
    for one in sorted(found, key=lambda spot: (spot.share, -spot.height)):
        if not best or one.height > best[-1].height:
            best.append(one)
    return best


def floors(made: Evaluation) -> list[tuple[str, float]]:
    """What is reached without seeing, on the scale of the spots: blind answers, and guesses. What is not known is left
    out."""
    full = of_task(made, headline(made))[FULL]
    scale = 1.0 if full.relative is None else full.accuracy
    known = (("without the image", full.blind), ("by chance", full.chance))
    return [(name, share / scale) for name, share in known if share is not None]


def pareto(made: Evaluation, cited: Sequence[Published] = ()) -> str:
    """A self-contained SVG."""
    found = spots(made)
    below = floors(made)
    heights = [one.height for one in found] + [one.relative for one in cited] + [height for _, height in below]
    low = max(0.0, min(heights, default=0.0) - 0.05)
    high = max(1.05, *(height + 0.02 for height in heights)) if heights else 1.05
    plane = _Plane(low, high)
    body = [
        *_axes(made, plane),
        *_floors(below, plane),
        *_cited(cited, plane),
        *_front(found, plane),
        *_methods(found, plane),
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}"'
            ' role="img" aria-label="Accuracy against visual tokens">',
            f"<style>{STYLE}</style>",
            f'<text class="title" x="{LEFT}" y="26">{escape(title(made))}</text>',
            f'<text class="small" x="{LEFT}" y="44">{escape(_legend(cited))}</text>',
            *body,
            "</svg>\n",
        ]
    )


@dataclass(frozen=True, slots=True)
class _Plane:
    low: float
    high: float

    def x(self, share: float) -> float:
        """Logarithmic, from 1/256 of the tokens to all."""
        part = 1 + log2(max(min(share, 1.0), _LEAST)) / 8
        return LEFT + part * (WIDTH - LEFT - RIGHT)

    def y(self, height: float) -> float:
        return TOP + (self.high - height) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM)


def _legend(cited: Sequence[Published]) -> str:
    own = "filled: measured here; the broad line: the front"
    if not cited:
        return own
    return f"{own}. Hollow diamonds: published for {MODEL}, another model on other questions, tokens as the source says"


def _axes(made: Evaluation, plane: _Plane) -> Iterator[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    for step in range(9):
        share = 2.0**-step
        x = plane.x(share)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
        tokens = share * made.visual_tokens
        yield f'<text class="small" x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{tokens:.3g}</text>'
    tenth = int(plane.low * 10) + 1
    while tenth / 10 <= plane.high:
        y = plane.y(tenth / 10)
        yield f'<line class="grid" x1="{LEFT}" x2="{right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{10 * tenth}%</text>'
        tenth += 1
    yield f'<line class="axis" x1="{LEFT}" x2="{right}" y1="{bottom}" y2="{bottom}"/>'
    yield f'<line class="axis" x1="{LEFT}" x2="{LEFT}" y1="{TOP}" y2="{bottom}"/>'
    middle = (LEFT + right) / 2
    yield (
        f'<text x="{middle}" y="{bottom + 40}" text-anchor="middle">visual tokens entering a decoder layer, mean, '
        "measured</text>"
    )
    yield f'<text x="{LEFT - 50}" y="{TOP - 10}">accuracy of the full model\'s</text>'


def _floors(below: Sequence[tuple[str, float]], plane: _Plane) -> Iterator[str]:
    """Lines across, each named at its left end: the upper one above it, the lower one below."""
    for place, (name, height) in enumerate(sorted(below, key=lambda one: -one[1])):
        y = plane.y(height)
        yield f'<line class="floor" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield f'<text class="small" x="{LEFT + 6}" y="{y + 12 if place else y - 4:.1f}">{name}</text>'


def _front(found: Sequence[Spot], plane: _Plane) -> Iterator[str]:
    path = " ".join(f"{plane.x(one.share):.1f},{plane.y(one.height):.1f}" for one in front(found))
    yield f'<polyline class="front" points="{path}"/>'


def _methods(found: Sequence[Spot], plane: _Plane) -> Iterator[str]:
    names = list(dict.fromkeys(one.method for one in found))
    coloured = [name for name in names if name not in (FULL, *CONTROLS)]
    labels: list[tuple[float, str, str]] = []
    for name in names:
        own = sorted((one for one in found if one.method == name), key=lambda spot: spot.share)
        colour = COLOURS[coloured.index(name) % len(COLOURS)] if name in coloured else "#777777"
        dash = ' stroke-dasharray="5 4"' if name in CONTROLS else ""
        path = " ".join(f"{plane.x(one.share):.1f},{plane.y(one.height):.1f}" for one in own)
        yield f'<g class="method" data-method="{escape(name)}">'
        yield f'<polyline points="{path}" fill="none" stroke="{colour}" opacity=".55"{dash}/>'
        for one in own:
            yield (
                f'<circle cx="{plane.x(one.share):.1f}" cy="{plane.y(one.height):.1f}" r="4.5" fill="{colour}">'
                f"<title>{escape(one.tip)}</title></circle>"
            )
        yield "</g>"
        labels.append((plane.y(own[-1].height), name, colour))
    yield from _names(labels)


def _names(labels: Sequence[tuple[float, str, str]]) -> Iterator[str]:
    """Names at the right edge, each near its last point, none over another, none outside."""
    step = min(_LABELS, (HEIGHT - BOTTOM - TOP) / max(len(labels), 1))
    size = min(12.0, step)
    for y, (_, name, colour) in zip(_places([one[0] for one in sorted(labels)], step), sorted(labels), strict=True):
        yield f'<circle cx="{WIDTH - RIGHT + 24}" cy="{y - 4:.1f}" r="{size / 3:.1f}" fill="{colour}"/>'
        yield (
            f'<text class="name" style="font-size:{size:.1f}px" x="{WIDTH - RIGHT + 34}" y="{y:.1f}">'
            f"{escape(name)}</text>"
        )


def _places(wanted: Sequence[float], step: float) -> list[float]:
    """Rising heights, `step` apart at least, near those wanted and above the lower edge."""
    places: list[float] = []
    for one in wanted:
        places.append(max(one, places[-1] + step if places else TOP))
    lowest = float(HEIGHT - BOTTOM)
    for at in reversed(range(len(places))):
        places[at] = min(places[at], lowest)
        lowest = places[at] - step
    return places


def _cited(cited: Sequence[Published], plane: _Plane) -> Iterator[str]:
    """Hollow diamonds; with their names beside them where there are few, else under the pointer only."""
    for one in cited:
        x, y = plane.x(one.share), plane.y(one.relative)
        tip = f"published: {one.method} at {one.tokens} of 576, {one.relative:.1%}. {one.source}"
        yield f'<path class="cited" d="M{x:.1f} {y - 6:.1f} l6 6 l-6 6 l-6 -6 z"><title>{escape(tip)}</title></path>'
        if len(cited) <= _NAMED:
            yield f'<text class="cited-name" x="{x + 8:.1f}" y="{y + 3:.1f}">{escape(one.method)}</text>'
