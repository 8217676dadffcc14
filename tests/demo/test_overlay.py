"""The overlay's pixels: survivors are untouched, the rest is dark, merged ones are tinted, the unseen fades."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from eosdsl.views.image_view import ImageView
from eosdsl.views.overlay import StepView, draw_overlay

# 400 pixels wide, so that a panel has the image's own scale; the model sees the middle, 4 x 4 tokens of 50 pixels
WHITE = Image.new("RGB", (400, 200), (255, 255, 255))
VIEW = ImageView(left=100, top=0, right=300, bottom=200, rows=4, columns=4)
PANELS_LEFT = (18, 18 + 400 + 18)
TOP = 46


def panel(sheet: Image.Image, number: int) -> np.ndarray:
    """Pixels of a panel of the first row [200, 400, 3]."""
    left = PANELS_LEFT[number]
    return np.asarray(sheet.crop((left, TOP, left + 400, TOP + 200))).astype(int)


def cell(pixels: np.ndarray, token: int) -> np.ndarray:
    left, top, right, bottom = (round(edge) for edge in VIEW.cell(token))
    return pixels[top:bottom, left:right]


def test_every_cell_is_drawn_by_its_fate() -> None:
    step = StepView("layer 2", kept=(0, 5, 15), sizes=(1.0, 3.0, 1.0))
    pixels = panel(draw_overlay(WHITE, VIEW, [step]), 1)
    for token in range(VIEW.tokens):
        drawn = cell(pixels, token)
        assert (drawn == drawn[0, 0]).all(), f"token {token} is drawn in two ways"
        red, green, blue = drawn[0, 0]
        if token in (0, 15):
            assert (red, green, blue) == (255, 255, 255)
        elif token == 5:
            assert green < 180 and red > 220  # towards magenta
        else:
            assert max(red, green, blue) < 90


def test_what_the_model_never_sees_fades_on_every_panel() -> None:
    black = Image.new("RGB", (400, 200), (0, 0, 0))
    sheet = draw_overlay(black, VIEW, [StepView("layer 2", (0,), (1.0,))])
    for number in (0, 1):
        assert panel(sheet, number)[:, :95].min() > 200
        assert panel(sheet, number)[:, 305:].min() > 200


def test_padding_beyond_the_image_is_left_out() -> None:
    beyond = ImageView(left=0, top=-100, right=400, bottom=300, rows=4, columns=4)
    sheet = draw_overlay(WHITE, beyond, [StepView("layer 2", (0, 4), (1.0, 1.0))])
    pixels = panel(sheet, 1)
    assert (pixels[0:100, 0:100] == 255).all()  # token 4: the first row that lies on the image
    assert pixels[0:100, 100:].max() < 90


@pytest.mark.parametrize("steps", [1, 2, 7, 31])
def test_one_panel_a_step_whatever_their_number(steps: int) -> None:
    views = [
        StepView(f"encoder layer {i}, after its attention", tuple(range(16 - i % 16)), (1.0,) * (16 - i % 16))
        for i in range(steps)
    ]
    sheet = draw_overlay(WHITE, VIEW, views)
    columns = min(steps + 1, 4 if steps + 1 > 6 else 3)
    assert sheet.width == columns * 418 + 18
    assert sheet.height >= -(-(steps + 1) // columns) * 246


def test_a_grey_image_of_odd_proportions_is_drawn() -> None:
    strip = Image.new("L", (7, 900), 128)
    view = ImageView(left=0, top=446.5, right=7, bottom=453.5, rows=4, columns=4)
    assert draw_overlay(strip, view, [StepView("input", (3,), (1.0,))]).mode == "RGB"
