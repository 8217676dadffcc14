"""Pictures as lists of lines, dots and words: drawn as SVG into a page, and as PNG by Pillow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any

Place = tuple[float, float]
COLOURS = ("#4c78a8", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#9c755f", "#edc948")
INK, FAINT = "#222222", "#cccccc"


@dataclass(frozen=True)
class Line:
    points: tuple[Place, ...]
    colour: str = INK
    width: float = 1.5


@dataclass(frozen=True)
class Dot:
    at: Place
    colour: str = INK
    radius: float = 4.0
    hollow: bool = False


@dataclass(frozen=True)
class Box:
    corner: Place
    size: Place
    colour: str = FAINT


@dataclass(frozen=True)
class Words:
    at: Place
    text: str
    colour: str = INK
    size: float = 12.0


Mark = Line | Dot | Box | Words


@dataclass
class Panel:
    """A plot of its own: `width` by `height` pixels, with a title and marks in pixels from its upper left corner."""

    title: str
    width: float = 520.0
    height: float = 300.0
    marks: list[Mark] = field(default_factory=list[Mark])


@dataclass(frozen=True)
class Curve:
    """Values over their places along x."""

    name: str
    xs: Sequence[float]
    ys: Sequence[float]


LEFT, TOP, RIGHT, BOTTOM = 56.0, 40.0, 130.0, 34.0


def plot(title: str, curves: Sequence[Curve], *, dots: bool = False, least: float | None = None) -> Panel:
    """Curves over a common pair of axes, each named at its end."""
    panel = Panel(title)
    xs = [x for one in curves for x in one.xs]
    ys = [y for one in curves for y in one.ys if y == y and abs(y) != float("inf")]
    if not xs or not ys:
        panel.marks.append(Words((LEFT, TOP + 20), "nothing to draw"))
        return panel
    low_x, high_x = min(xs), max(xs)
    low_y, high_y = min(ys) if least is None else min(least, *ys), max(ys)
    across, up = (high_x - low_x) or 1.0, (high_y - low_y) or 1.0

    def place(x: float, y: float) -> Place:
        wide, tall = panel.width - LEFT - RIGHT, panel.height - TOP - BOTTOM
        return LEFT + (x - low_x) / across * wide, panel.height - BOTTOM - (y - low_y) / up * tall

    panel.marks += _axes(panel, (low_x, high_x), (low_y, high_y), place)
    ends: list[tuple[float, str, str]] = []
    for number, one in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        points = tuple(place(x, y) for x, y in zip(one.xs, one.ys, strict=True) if y == y and abs(y) != float("inf"))
        if len(points) > 1 and not dots:
            panel.marks.append(Line(points, colour))
        if dots or len(points) == 1:
            panel.marks += [Dot(point, colour) for point in points]
        if points:
            ends.append((points[-1][1], one.name, colour))
    panel.marks += _names(ends, panel)
    return panel


def _axes(panel: Panel, xs: tuple[float, float], ys: tuple[float, float], place: Any) -> Iterable[Mark]:
    (low_x, high_x), (low_y, high_y) = xs, ys
    for share in (0.0, 0.5, 1.0):
        y = low_y + share * (high_y - low_y)
        yield Line((place(low_x, y), place(high_x, y)), FAINT, 1.0)
        yield Words((4.0, place(low_x, y)[1] + 4), f"{y:.4g}", size=11)
    for x in dict.fromkeys((low_x, high_x)):
        yield Words((place(x, low_y)[0] - 8, panel.height - 12), f"{x:g}", size=11)


def _names(ends: Sequence[tuple[float, str, str]], panel: Panel) -> Iterable[Mark]:
    """Names beside the ends of their curves, moved apart where they would cover each other."""
    last = -100.0
    for y, name, colour in sorted(ends)[:16]:
        last = max(y, last + 13)
        yield Words((panel.width - RIGHT + 6, last + 4), name, colour, 11)


def svg(panel: Panel) -> str:
    """One panel as SVG."""
    body = "\n".join(_svg(mark) for mark in (Words((LEFT, 22), panel.title, size=14), *panel.marks))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {panel.width:g} {panel.height:g}" '
        f'width="{panel.width:g}" height="{panel.height:g}" role="img" aria-label="{escape(panel.title)}">'
        f'<rect width="100%" height="100%" fill="#ffffff"/>\n{body}\n</svg>'
    )


def _svg(mark: Mark) -> str:
    match mark:
        case Line():
            points = " ".join(f"{x:.1f},{y:.1f}" for x, y in mark.points)
            return f'<polyline points="{points}" fill="none" stroke="{mark.colour}" stroke-width="{mark.width:g}"/>'
        case Dot():
            x, y = mark.at
            fill = "none" if mark.hollow else mark.colour
            return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{mark.radius:g}" fill="{fill}" stroke="{mark.colour}"/>'
        case Box():
            (x, y), (w, h) = mark.corner, mark.size
            return f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{mark.colour}"/>'
        case Words():
            x, y = mark.at
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" fill="{mark.colour}" '
                f'style="font: {mark.size:g}px system-ui, sans-serif">{escape(mark.text)}</text>'
            )


def png(panels: Sequence[Panel], path: Path, *, columns: int = 2, scale: int = 2) -> None:
    """All panels side by side as one PNG."""
    from PIL import Image, ImageDraw, ImageFont

    wide, tall = max(one.width for one in panels), max(one.height for one in panels)
    rows = -(-len(panels) // columns)
    picture = Image.new("RGB", (round(wide * columns * scale), round(tall * rows * scale)), "#ffffff")
    draw: Any = ImageDraw.Draw(picture)

    def font(size: float) -> Any:
        return ImageFont.load_default(size * scale)

    for number, panel in enumerate(panels):
        corner = (number % columns * wide, number // columns * tall)
        for mark in (Words((LEFT, 22), panel.title, size=14), *panel.marks):
            _draw(draw, mark, corner, scale, font)
    picture.save(path, "PNG")


def _draw(draw: Any, mark: Mark, corner: Place, scale: int, font: Any) -> None:
    def to(place: Place) -> Place:
        return (corner[0] + place[0]) * scale, (corner[1] + place[1]) * scale

    match mark:
        case Line():
            draw.line([to(point) for point in mark.points], fill=mark.colour, width=max(1, round(mark.width * scale)))
        case Dot():
            (x, y), r = to(mark.at), mark.radius * scale
            draw.ellipse((x - r, y - r, x + r, y + r), fill=None if mark.hollow else mark.colour, outline=mark.colour)
        case Box():
            (x, y), (w, h) = to(mark.corner), mark.size
            draw.rectangle((x, y, x + w * scale, y + h * scale), fill=mark.colour)
        case Words():
            x, y = to(mark.at)
            draw.text((x, y), mark.text, fill=mark.colour, font=font(mark.size), anchor="ls")
