"""Real photographs from the wheels of scikit-image and scikit-learn: nothing is downloaded.

Crops of a photograph are owned by splits by where they start, faces and textures (`lfw_subset`) by number.
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
_HEIGHT = 240
"""Photographs are kept at this height."""
_LATTICE = 8
"""A crop starts on a lattice of this many pixels; each lattice point belongs to one split."""
FACE_RANGES = {"train": (0, 70), "validation": (70, 85), "test": (85, 100)}
"""Of the hundred faces, and of the hundred crops without one."""


@cache
def photograph(name: str) -> Pixels:
    """A photograph [240, width, 3]."""
    package, path = _FILES[name]
    with files(package).joinpath(path).open("rb") as file:
        image = Image.open(file).convert("RGB")
    width = round(image.width * _HEIGHT / image.height)
    return np.asarray(image.resize((width, _HEIGHT), Image.Resampling.BOX))


def crop(name: str, split: str, side: int, rng: Random) -> Pixels:
    """A crop of half to all of a photograph's height that belongs to `split`, as [side, side, 3]."""
    pixels = photograph(name)
    while True:
        size = rng.randrange(_HEIGHT // 2, _HEIGHT - 16, _LATTICE)
        top = rng.randrange(0, _HEIGHT - size + 1, _LATTICE)
        left = rng.randrange(0, pixels.shape[1] - size + 1, _LATTICE)
        if _owner(size // _LATTICE, top // _LATTICE, left // _LATTICE) == split:
            break
    window = Image.fromarray(pixels[top : top + size, left : left + size])
    return np.asarray(window.resize((side, side), Image.Resampling.BOX))


def _owner(size: int, top: int, left: int) -> str:
    place = (size * 31 + top * 7 + left * 3) % 10
    return "train" if place < 6 else "validation" if place < 8 else "test"


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
