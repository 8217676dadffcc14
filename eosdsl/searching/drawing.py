"""Pictures as lists of lines, dots and words: drawn as SVG into a page, and as PNG by Pillow."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import ceil, floor, log10
from pathlib import Path
from typing import Any

Place = tuple[float, float]
COLOURS = ("#4c78a8", "#f28e2b", "#59a14f", "#e15759", "#b07aa1", "#76b7b2", "#9c755f", "#edc948")
INK, AXIS, FAINT = "#222222", "#777777", "#dddddd"


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


LEFT, TOP, RIGHT, BOTTOM = 56.0, 40.0, 130.0, 44.0
_APART = 13.0  # pixels between the names of two curves
_CHARACTER = 0.52  # width of a letter, of its height


def plot(
    title: str,
    curves: Sequence[Curve],
    *,
    across: str = "",
    dots: bool = False,
    steps: bool = False,
    least: float | None = None,
) -> Panel:
    """Curves over a common pair of axes, each named at its end; `across` says what goes to the right. `steps`: a value
    holds from its place to the next. A panel without marks where there is nothing to draw."""
    panel = Panel(title)
    xs = [x for one in curves for x in one.xs]
    ys = [y for one in curves for y in one.ys if _is_number(y)]
    if not xs or not ys:
        return panel
    wide, tall = _range(min(xs), max(xs) + steps), _range(min(ys) if least is None else min(least, *ys), max(ys))

    def place(x: float, y: float) -> Place:
        width, height = panel.width - LEFT - RIGHT, panel.height - TOP - BOTTOM
        right, up = (x - wide[0]) / (wide[1] - wide[0]), (y - tall[0]) / (tall[1] - tall[0])
        return LEFT + right * width, panel.height - BOTTOM - up * height

    panel.marks += _axes(panel, wide, tall, place, across)
    ends: list[tuple[float, str, str]] = []
    for number, one in enumerate(curves):
        colour = COLOURS[number % len(COLOURS)]
        known = [(x, y) for x, y in zip(one.xs, one.ys, strict=True) if _is_number(y)]
        if steps:
            known = [place for x, y in known for place in ((x, y), (x + 1, y))]
        points = tuple(place(x, y) for x, y in known)
        if len(points) > 1 and not dots:
            panel.marks.append(Line(points, colour))
        if dots or len(points) == 1:
            panel.marks += [Dot(point, colour) for point in points]
        if points:
            ends.append((points[-1][1], one.name, colour))
    panel.marks += _names(ends, panel)
    return panel


def wrapped(text: str, width: float, size: float) -> list[str]:
    """The text in lines of at most so many pixels, broken at spaces."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(longer) * size * _CHARACTER > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from `low` to `high`, some four of them."""
    rough = (high - low) / 4
    power = 10.0 ** floor(log10(rough))
    step = min((one * power for one in (1.0, 2.0, 5.0, 10.0)), key=lambda one: abs(one - rough))
    return [step * number for number in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _range(low: float, high: float) -> tuple[float, float]:
    """From low to high, with room around them where they are one."""
    room = 0.0 if high - low > 1e-9 * max(abs(low), abs(high)) else 0.5 * abs(high) or 1.0
    return low - room, high + room


def _is_number(value: float) -> bool:
    return value == value and abs(value) != float("inf")


def _axes(
    panel: Panel, xs: tuple[float, float], ys: tuple[float, float], place: Callable[[float, float], Place], across: str
) -> Iterable[Mark]:
    for y in ticks(*ys):
        yield Line((place(xs[0], y), place(xs[1], y)), FAINT, 1.0)
        yield Words((6.0, place(xs[0], y)[1] + 4), f"{y:.4g}", size=11)
    yield Line((place(xs[0], ys[0]), place(xs[1], ys[0])), AXIS, 1.0)
    for x in ticks(*xs):
        told = f"{x:g}"
        yield Words((place(x, ys[0])[0] - 3 * len(told), panel.height - BOTTOM + 15), told, size=11)
    if across:
        middle = (LEFT + panel.width - RIGHT) / 2
        yield Words((middle - 3 * len(across), panel.height - BOTTOM + 32), across, AXIS, 11)


def _names(ends: Sequence[tuple[float, str, str]], panel: Panel) -> Iterable[Mark]:
    """Names beside the ends of their curves, moved apart where they would cover each other, and up from the edge."""
    shown = sorted(ends)[: int((panel.height - TOP - BOTTOM) // _APART)]
    places: list[float] = []
    for y, _, _ in shown:
        places.append(max(y, places[-1] + _APART) if places else y)
    highest = panel.height - BOTTOM
    for number in reversed(range(len(places))):
        places[number] = min(places[number], highest)
        highest = places[number] - _APART
    for y, (_, name, colour) in zip(places, shown, strict=True):
        yield Words((panel.width - RIGHT + 6, y + 4), name, colour, 11)


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
                f'<text x="{x:.1f}" y="{y:.1f}" '
                f'style="font: {mark.size:g}px system-ui, sans-serif; fill: {mark.colour}">{escape(mark.text)}</text>'
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
