"""Real photographs from the wheels of scikit-image and scikit-learn: nothing is downloaded.

A photograph is cut into tiles, each of which belongs to one split: no pixel of a crop is in a crop of another split.
Faces and textures (`lfw_subset`) are split by number.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eosdsl.tasks.scene import FACE

Pixels = NDArray[np.uint8]

_FILES = {
    "astronaut": ("skimage", "data/astronaut.png"),
    "cat": ("skimage", "data/chelsea.png"),
    "coffee": ("skimage", "data/coffee.png"),
    "rocket": ("skimage", "data/rocket.jpg"),
    "flower": ("sklearn", "datasets/images/flower.jpg"),
    "temple": ("sklearn", "datasets/images/china.jpg"),
    "motorcycle": ("skimage", "data/motorcycle_left.png"),
    "galaxies": ("skimage", "data/hubble_deep_field.jpg"),
}
TILE = 75
"""Side of a tile in pixels."""
_HEIGHT = 4 * TILE
"""Photographs are kept at this height."""
_SMALLEST = 58
"""Side of the smallest crop of a tile."""
FACE_RANGES = {"train": (0, 70), "validation": (70, 85), "test": (85, 100)}
"""Of the hundred faces, and of the hundred crops without one."""


@cache
def photograph(name: str) -> Pixels:
    """A photograph [300, width, 3]."""
    package, path = _FILES[name]
    with files(package).joinpath(path).open("rb") as file:
        image = Image.open(file).convert("RGB")
    width = round(image.width * _HEIGHT / image.height)
    return np.asarray(image.resize((width, _HEIGHT), Image.Resampling.LANCZOS))


@cache
def tiles(name: str, split: str) -> tuple[tuple[int, int], ...]:
    """Row and column in pixels where the tiles of a photograph begin that belong to `split`: three of five, or one."""
    height, width, _ = photograph(name).shape
    places = [(row, column) for row in range(height // TILE) for column in range(width // TILE)]
    return tuple((TILE * row, TILE * column) for row, column in places if _owner(row, column) == split)


def crop(name: str, split: str, side: int, rng: Random) -> Pixels:
    """A crop of three quarters to all of a tile's side, mirrored half of the time, as [side, side, 3]."""
    top, left = rng.choice(tiles(name, split))
    size = rng.randint(_SMALLEST, TILE)
    top, left = (begin + rng.randint(0, TILE - size) for begin in (top, left))
    pixels = photograph(name)[top : top + size, left : left + size]
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    return np.asarray(Image.fromarray(pixels).resize((side, side), Image.Resampling.BICUBIC))


def _owner(row: int, column: int) -> str:
    """Of a tile: every row and every column of five has all splits."""
    place = (2 * row + column) % 5
    return "train" if place < 3 else "validation" if place == 3 else "test"


@cache
def _faces() -> Pixels:
    with files("skimage").joinpath("data/lfw_subset.npy").open("rb") as file:
        return (255 * np.clip(np.load(file), 0, 1)).astype(np.uint8)


def face_or_texture(kind: str, split: str, side: int, rng: Random) -> Pixels:
    """A grey crop with a face, or without one, as [side, side, 3]; mirrored half of the time."""
    start, stop = FACE_RANGES[split]
    number = rng.randrange(start, stop) + (0 if kind == FACE else 100)
    pixels = _faces()[number]
    if rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    image = Image.fromarray(pixels).resize((side, side), Image.Resampling.BILINEAR)
    return np.repeat(np.asarray(image)[:, :, None], 3, axis=2)
