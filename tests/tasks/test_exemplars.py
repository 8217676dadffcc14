"""Glyphs and photographs: what one split is drawn from, no other split is drawn from."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from PIL import Image

from eosdsl.tasks import photos
from eosdsl.tasks.base import SPLITS
from eosdsl.tasks.glyphs import DIGIT_RANGES, bank
from eosdsl.tasks.photos import FACE_RANGES, crop, face_or_texture, photograph
from eosdsl.tasks.scene import DIGITS, LETTERS, PICTURES, SHAPES, TEXTURE, Item, Scene, Thing, labels


@pytest.mark.parametrize("kind", [*DIGITS[:3], *SHAPES[:3], *LETTERS[:3]])
@pytest.mark.parametrize("cells", [1, 2])
def test_no_exemplar_is_shared_between_splits(kind: str, cells: int) -> None:
    banks = {split: bank(kind, split, cells) for split in SPLITS}
    keys = [{mask.tobytes() for mask in masks} for masks in banks.values()]
    assert all(masks.shape[1:] == (8 * cells, 8 * cells) for masks in banks.values())
    assert all(masks.min() >= 0 and masks.max() <= 1 for masks in banks.values())
    assert sum(map(len, keys)) == len(set.union(*keys))


def test_ranges_of_handwriting_and_faces_do_not_overlap() -> None:
    for ranges in (DIGIT_RANGES, FACE_RANGES):
        spans = sorted(ranges.values())
        assert all(a[1] == b[0] for a, b in pairwise(spans))


def test_held_out_digits_are_the_real_handwriting() -> None:
    from sklearn.datasets import load_digits

    images, digit_labels = load_digits(return_X_y=True)
    real = images[1590:][digit_labels[1590:] == 7].reshape(-1, 8, 8) / 16
    assert np.allclose(bank("7", "test", 1), real)


@pytest.mark.parametrize("name", PICTURES)
def test_photographs_come_with_the_wheels(name: str) -> None:
    assert photograph(name).shape[0] == 300
    assert crop(name, "test", 96, Random(0)).shape == (96, 96, 3)


@pytest.mark.parametrize("name", PICTURES)
def test_no_pixel_of_a_photograph_is_shown_by_two_splits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each pixel of a stand-in says where it is; crops are taken as they are, not resized."""
    height, width, _ = photograph(name).shape
    places = np.zeros((height, width, 3), dtype=np.uint8)
    places[..., 0], places[..., 1] = np.arange(height)[:, None] % 250, np.arange(width)[None] % 250
    places[..., 2] = 2 * (np.arange(height)[:, None] // 250) + np.arange(width)[None] // 250
    monkeypatch.setattr(photos, "photograph", lambda _: places)
    monkeypatch.setattr(Image.Image, "resize", lambda image, *_: image)
    shown: dict[str, set[bytes]] = {}
    for split in SPLITS:
        rng = Random(split)
        crops = [crop(name, split, 96, rng) for _ in range(300)]
        assert all(58 <= one.shape[0] == one.shape[1] <= 75 for one in crops)
        shown[split] = {bytes(pixel) for one in crops for pixel in one.reshape(-1, 3)}
    assert sum(map(len, shown.values())) == len(set.union(*shown.values()))
    assert len(shown["train"]) > 2 * len(shown["test"]) > 2 * 75 * 75


def test_faces_and_textures_have_the_size_asked_for() -> None:
    assert face_or_texture(TEXTURE, "validation", 32, Random(1)).shape == (32, 32, 3)


def test_labels_of_a_scene_by_hand() -> None:
    kinds, colors, parts = labels(Scene((Item("circle", "red", 0, 0, 2, 2), Item("7", "blue", 3, 5))))
    assert [kinds[cell] for cell in (0, 1, 12, 13, 41, 14)] == [1, 1, 1, 1, 14, 0]
    assert [colors[cell] for cell in (0, 13, 41, 2)] == [1, 1, 3, 0]
    assert [parts[cell] for cell in (0, 1, 12, 13, 41, 14)] == [1, 2, 2, 2, 1, 0]


def test_descriptions_fit_what_they_say_but_never_clutter() -> None:
    assert Thing("circle").fits(Item("circle", "red", 0, 0))
    assert Thing(color="red").fits(Item("7", "red", 0, 0))
    assert not Thing("circle", "red").fits(Item("circle", "blue", 0, 0))
    assert not Thing("circle").fits(Item("circle", "gray", 0, 0))
    assert Thing("cross", "red").plural == "red crosses"
