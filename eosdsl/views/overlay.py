"""An image with the visual tokens that survive each step drawn on it: one panel a step."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from eosdsl.views.image_view import ImageView

_PANEL = 400  # pixels of a panel's longer side
_GAP = 18
_TITLE = 46
_LEGEND = 40
_PAPER = (250, 250, 248)
_INK = (28, 28, 30)
_FAINT = (110, 110, 115)
_DARK = (24, 26, 32)
_DIMMED = 0.80  # how far a token that was given up fades to dark
_UNSEEN = 0.88  # how far what the model never sees fades to paper
_TINT = (225, 0, 160)
_FRAME = (0, 122, 204)


@dataclass(frozen=True)
class StepView:
    """What survives one step: `kept`, original token numbers, with how many original tokens each stands for."""

    title: str
    kept: tuple[int, ...]
    sizes: tuple[float, ...]


def draw_overlay(
    image: Image.Image,
    view: ImageView,
    steps: Sequence[StepView],
    name: str = "before",
    *,
    columns: int | None = None,
    legend: bool = True,
) -> Image.Image:
    """The image as the model sees it, then one panel a step: survivors clear, the rest dimmed, merged ones tinted."""
    picture = image.convert("RGB")
    scale = _PANEL / max(picture.size)
    panels = [(f"{name}: {view.tokens} tokens", _seen_panel(picture, view, scale))]
    panels += [
        (f"{step.title}: {len(step.kept)} of {view.tokens} tokens", _step_panel(picture, view, step, scale))
        for step in steps
    ]
    merged = any(size > 1 for step in steps for size in step.sizes)
    return _sheet(panels, columns or _columns(len(panels)), merged if legend else None)


def stack_sheets(sheets: Sequence[Image.Image]) -> Image.Image:
    """Sheets below one another."""
    width = max(sheet.width for sheet in sheets)
    stacked = Image.new("RGB", (width, sum(sheet.height for sheet in sheets)), _PAPER)
    top = 0
    for sheet in sheets:
        stacked.paste(sheet, (0, top))
        top += sheet.height
    return stacked


def _seen_panel(picture: Image.Image, view: ImageView, scale: float) -> Image.Image:
    """The picture with what the model sees framed; what is cropped away fades."""
    panel = _scaled(picture, scale)
    faded = Image.blend(panel, Image.new("RGB", panel.size, _PAPER), _UNSEEN)
    box = _pixels((view.left, view.top, view.right, view.bottom), scale)
    faded.paste(panel.crop(_inside(box, panel)), _inside(box, panel))
    ImageDraw.Draw(faded).rectangle(_last_pixel(_inside(box, panel)), outline=_FRAME, width=2)
    return faded


def _step_panel(picture: Image.Image, view: ImageView, step: StepView, scale: float) -> Image.Image:
    clear = _scaled(picture, scale)
    panel = Image.blend(clear, Image.new("RGB", clear.size, _PAPER), _UNSEEN)
    dimmed = Image.blend(clear, Image.new("RGB", clear.size, _DARK), _DIMMED)
    tinted = Image.blend(clear, Image.new("RGB", clear.size, _TINT), 0.45)
    seen = _inside(_pixels((view.left, view.top, view.right, view.bottom), scale), panel)
    panel.paste(dimmed.crop(seen), seen)
    for token, size in zip(step.kept, step.sizes, strict=True):
        cell = _inside(_pixels(view.cell(token), scale), panel)
        panel.paste((tinted if size > 1 else clear).crop(cell), cell)
    return panel


def _columns(panels: int) -> int:
    return min(panels, 4 if panels > 6 else 3)


def _sheet(panels: Sequence[tuple[str, Image.Image]], columns: int, merged: bool | None) -> Image.Image:
    """Panels in rows, and a legend with or without merged tokens; none where `merged` is None."""
    rows = math.ceil(len(panels) / columns)
    width, height = panels[0][1].size
    sheet = Image.new(
        "RGB",
        (columns * (width + _GAP) + _GAP, rows * (height + _TITLE) + _GAP + (0 if merged is None else _LEGEND)),
        _PAPER,
    )
    pen = ImageDraw.Draw(sheet)
    for i, (title, panel) in enumerate(panels):
        left = _GAP + (i % columns) * (width + _GAP)
        top = (i // columns) * (height + _TITLE) + _TITLE
        pen.text((left, top - 10), title, fill=_INK, font=_fitting(title, width), anchor="ls")
        sheet.paste(panel, (left, top))
    if merged is not None:
        _legend(pen, (_GAP, sheet.height - _LEGEND // 2), merged)
    return sheet


def _legend(pen: ImageDraw.ImageDraw, at: tuple[int, int], merged: bool) -> None:
    left, middle = at
    entries = [("kept", (200, 200, 205)), ("given up", _DARK), ("outside what the model sees", _PAPER)]
    if merged:
        entries.append(("kept, stands for several", _TINT))
    for text, colour in entries:
        pen.rectangle((left, middle - 7, left + 14, middle + 7), fill=colour, outline=_FAINT)
        pen.text((left + 21, middle), text, fill=_FAINT, font=ImageFont.load_default(15), anchor="lm")
        left += 21 + int(pen.textlength(text, font=ImageFont.load_default(15))) + 24


def _fitting(title: str, width: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    """The largest font, down to 9 pixels, in which the title fits above its panel."""
    for size in range(20, 9, -1):
        font = ImageFont.load_default(size)
        if font.getlength(title) <= width:
            return font
    return ImageFont.load_default(9)


def _scaled(picture: Image.Image, scale: float) -> Image.Image:
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def _pixels(box: tuple[float, float, float, float], scale: float) -> tuple[int, int, int, int]:
    left, top, right, bottom = (round(edge * scale) for edge in box)
    return left, top, right, bottom


def _inside(box: tuple[int, int, int, int], panel: Image.Image) -> tuple[int, int, int, int]:
    """The part of a box that lies on the panel (processors that pad see more than the image)."""
    left, top, right, bottom = box
    left, top = min(max(left, 0), panel.width), min(max(top, 0), panel.height)
    return left, top, max(left, min(right, panel.width)), max(top, min(bottom, panel.height))


def _last_pixel(box: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    return box[0], box[1], box[2] - 1, box[3] - 1
