"""Scenes as images, of 96 x 96 pixels where the canvas has its usual size."""

from __future__ import annotations

from random import Random

import numpy as np
from numpy.typing import NDArray

from eosdsl.tasks.glyphs import CELL, bank
from eosdsl.tasks.photos import crop, face_or_texture
from eosdsl.tasks.scene import BAR, FACE, PICTURES, TEXTURE, Item, Scene

RGB = {
    "red": (225, 45, 45),
    "green": (50, 185, 60),
    "blue": (60, 90, 235),
    "yellow": (235, 215, 50),
    "purple": (165, 60, 205),
    "cyan": (60, 215, 225),
    "white": (240, 240, 240),
    "gray": (125, 125, 125),
}
_HUE_SPREAD = 16
"""Colours vary by so much in each channel."""
_NOISE = 5.0
"""Standard deviation of the pixel noise."""


def draw(scene: Scene, split: str, rng: Random, contrast: float = 1.0) -> NDArray[np.uint8]:
    """The image of a scene [8 * grid, 8 * grid, 3] with the glyph exemplars of a split."""
    noise = np.random.default_rng(rng.getrandbits(64))
    ground = np.array([rng.uniform(10, 50) for _ in range(3)], dtype=np.float32)
    canvas = np.broadcast_to(ground, (scene.grid * CELL, scene.grid * CELL, 3)).copy()
    for item in scene.items:
        _paint(canvas, item, split, rng, contrast)
    canvas += noise.standard_normal(canvas.shape, dtype=np.float32) * np.float32(_NOISE)
    return canvas.clip(0, 255).astype(np.uint8)


def _paint(canvas: NDArray[np.float32], item: Item, split: str, rng: Random, contrast: float) -> None:
    top, left = item.row * CELL, item.col * CELL
    area = canvas[top : top + item.height * CELL, left : left + item.width * CELL]
    if item.kind in PICTURES:
        area[:] = crop(item.kind, split, item.width * CELL, rng)
        return
    if item.kind in (FACE, TEXTURE):
        area[:] = face_or_texture(item.kind, split, item.width * CELL, rng)
        return
    color = np.array([value + rng.uniform(-_HUE_SPREAD, _HUE_SPREAD) for value in RGB[item.color]], dtype=np.float32)
    strength = np.float32(contrast * rng.uniform(0.85, 1.0))
    mask = _mask(item, split, rng)[:, :, None] * strength
    area += mask * (color - area)


def _mask(item: Item, split: str, rng: Random) -> NDArray[np.float32]:
    if item.kind != BAR:
        exemplars = bank(item.kind, split, item.width)
        return exemplars[rng.randrange(len(exemplars))]
    mask = np.zeros((item.height * CELL, CELL), dtype=np.float32)
    mask[rng.randrange(3) :, 1 : 7 + rng.randrange(2)] = 1.0
    return mask
