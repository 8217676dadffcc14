"""What shapes, letters and digits look like: banks of masks, one bank per split, so that no exemplar is shared.

A mask is [8 * cells, 8 * cells] in 0..1. Digits are real handwriting (scikit-learn's 1,797, of 8 x 8 pixels); shapes
and letters are drawn with random warps.
"""

from __future__ import annotations

from functools import cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from eosdsl.tasks.scene import DIGITS, LETTERS, SHAPES

Mask = NDArray[np.float32]
Masks = NDArray[np.float32]
"""[exemplars, side, side]."""

CELL = 8
"""Pixels a cell."""
DIGIT_RANGES = {"train": (0, 1400), "validation": (1400, 1590), "test": (1590, 1797)}
"""Exemplars of handwriting by split; the set is in the order in which people wrote."""
_DRAWN = {"train": 96, "validation": 24, "test": 24}
"""Exemplars of a drawn glyph by split."""
_CANVAS = 64
_WARPS = 3
"""Warped copies of each training digit beside the original: moved, turned, scaled a little."""


@cache
def bank(kind: str, split: str, cells: int) -> Masks:
    """The exemplars of a glyph for a split at a size of 1 or 2 cells."""
    if kind in DIGITS:
        return _digits(int(kind), split, cells)
    if kind not in SHAPES and kind not in LETTERS:
        raise KeyError(f"no glyph is called {kind!r}")
    rng = np.random.default_rng([crc32(f"{kind}/{split}".encode()), cells])
    side = CELL * cells
    return np.stack([_reduce(_warp(_draw(kind, rng), rng), side) for _ in range(_DRAWN[split])])


@cache
def _handwriting() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    return (images.reshape(-1, 8, 8) / 16).astype(np.float32), labels.astype(np.int64)


def _digits(digit: int, split: str, cells: int) -> Masks:
    images, labels = _handwriting()
    start, stop = DIGIT_RANGES[split]
    chosen = images[start:stop][labels[start:stop] == digit]
    if split == "train":
        rng = np.random.default_rng([digit, cells])
        chosen = np.concatenate([chosen, *(_warped_digits(chosen, rng) for _ in range(_WARPS))])
    if cells == 1:
        return chosen
    return np.stack([_resize(mask, CELL * cells) for mask in chosen])


def _warped_digits(masks: Masks, rng: np.random.Generator) -> Masks:
    return np.stack([_reduce(_warp(_resize(mask, _CANVAS), rng, gentle=True), CELL) for mask in masks])


def _draw(kind: str, rng: np.random.Generator) -> Mask:
    """A glyph at 64 x 64, filling its box."""
    image = Image.new("L", (_CANVAS, _CANVAS))
    draw = ImageDraw.Draw(image)
    if kind in LETTERS:
        font = ImageFont.load_default(float(rng.integers(58, 70)))
        draw.text((32, 32), kind.upper(), fill=255, font=font, anchor="mm", stroke_width=int(rng.integers(1, 5)))
    else:
        _draw_shape(draw, kind, rng)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _draw_shape(draw: ImageDraw.ImageDraw, kind: str, rng: np.random.Generator) -> None:
    low, high = float(rng.integers(1, 7)), float(rng.integers(57, 63))
    middle = (low + high) / 2
    if kind == "circle":
        draw.ellipse((low, low, high, high), fill=255)
    elif kind == "square":
        draw.rectangle((low, low, high, high), fill=255)
    elif kind == "triangle":
        draw.polygon([(middle, low), (high, high), (low, high)], fill=255)
    elif kind == "ring":
        draw.ellipse((low, low, high, high), outline=255, width=int(rng.integers(11, 16)))
    elif kind == "cross":
        half = float(rng.integers(7, 11))
        draw.rectangle((middle - half, low, middle + half, high), fill=255)
        draw.rectangle((low, middle - half, high, middle + half), fill=255)
    else:
        angles = np.pi * (np.arange(10) / 5 - 0.5)
        radii = np.where(np.arange(10) % 2 == 0, 1.0, rng.uniform(0.36, 0.44)) * (high - low) / 2 * 1.08
        points = zip(middle + radii * np.cos(angles), middle + radii * np.sin(angles), strict=True)
        draw.polygon([(float(x), float(y)) for x, y in points], fill=255)


def _warp(mask: Mask, rng: np.random.Generator, gentle: bool = False) -> Mask:
    """Turn, scale and move a little, about the centre."""
    turn, scale, move = (0.16, (0.88, 1.12), 5.0) if gentle else (0.1, (1.0, 1.18), 2.0)
    angle, factor = rng.uniform(-turn, turn), rng.uniform(*scale)
    cos, sin = factor * np.cos(angle), factor * np.sin(angle)
    x, y = rng.uniform(-move, move, size=2)
    centre = _CANVAS / 2
    matrix = (
        cos, sin, centre - cos * centre - sin * centre + x,
        -sin, cos, centre + sin * centre - cos * centre + y,
    )  # fmt: skip
    image = Image.fromarray((mask * 255).astype(np.uint8))
    warped = image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR)
    return np.asarray(warped, dtype=np.float32) / np.float32(255)


def _resize(mask: Mask, side: int) -> Mask:
    image = Image.fromarray((mask * 255).astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
    return np.asarray(image, dtype=np.float32) / np.float32(255)


def _reduce(mask: Mask, side: int) -> Mask:
    """Average over square areas: what a camera of `side` pixels would see."""
    step = mask.shape[0] // side
    return mask.reshape(side, step, side, step).mean(axis=(1, 3))
