"""Where tokens lie, against what the real processors do: a patch of the prepared image changes where we say it lies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from transformers import CLIPImageProcessorPil, SiglipImageProcessorPil
from transformers.models.llava.image_processing_pil_llava import LlavaImageProcessorPil

from eosdsl.diagnostics import SpecError
from eosdsl.views.image_view import ImageView, Preparation

SIDE, PATCH, GRID = 112, 14, (8, 8)


def crop() -> Any:
    return CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def pad() -> Any:
    return LlavaImageProcessorPil(do_pad=True, size={"shortest_edge": SIDE}, crop_size={"height": SIDE, "width": SIDE})


def squash() -> Any:
    return SiglipImageProcessorPil(size={"height": SIDE, "width": SIDE})


def lit_tokens(processor: Any, image: Image.Image) -> np.ndarray:
    """How much of each token's patch is lit [8, 8], seen through the real processor."""
    pixels = np.asarray(processor(image, do_normalize=False, return_tensors="np")["pixel_values"])[0].mean(0)
    return pixels.reshape(8, PATCH, 8, PATCH).mean((1, 3))


@pytest.mark.parametrize("make", [crop, pad, squash])
@given(width=st.integers(40, 400), height=st.integers(40, 400), token=st.integers(0, 63))
@settings(max_examples=25, deadline=None)
def test_a_lit_cell_is_the_token_that_lights_up(make: Any, width: int, height: int, token: int) -> None:
    processor = make()
    view = Preparation.of(processor).view(width, height, GRID, PATCH)
    left, top, right, bottom = view.cell(token)
    if left < 0 or top < 0 or right > width or bottom > height or min(right - left, bottom - top) < 4:
        return  # in the padding, or too few pixels to be sharp
    canvas = np.zeros((height, width, 3), np.uint8)
    dark = lit_tokens(processor, Image.fromarray(canvas))  # what the padding looks like
    canvas[round(top) : round(bottom), round(left) : round(right)] = 255
    seen = lit_tokens(processor, Image.fromarray(canvas)) - dark
    assert seen.argmax() == token
    assert seen.flat[token] > 0.6
    assert seen.sum() - seen.flat[token] < 0.6  # what bicubic resizing and rounding leak


def test_a_wide_image_loses_its_sides() -> None:
    view = Preparation.of(crop()).view(400, 200, GRID, PATCH)
    assert view == ImageView(left=100, top=0, right=300, bottom=200, rows=8, columns=8)


def test_a_padded_image_is_seen_whole_and_more() -> None:
    view = Preparation.of(pad()).view(400, 200, GRID, PATCH)
    assert view == ImageView(left=0, top=-100, right=400, bottom=300, rows=8, columns=8)


def test_cells_tile_the_view() -> None:
    view = ImageView(left=10, top=20, right=90, bottom=60, rows=4, columns=8)
    assert view.cell(0) == (10, 20, 20, 30)
    assert view.cell(view.tokens - 1) == (80, 50, 90, 60)


def test_a_processor_that_chooses_its_own_size_is_refused() -> None:
    processor = CLIPImageProcessorPil(size={"shortest_edge": 100, "longest_edge": 200})
    with pytest.raises(SpecError) as caught:
        Preparation.of(processor)
    assert [d.code for d in caught.value.diagnostics] == ["E0624"]
