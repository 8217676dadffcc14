"""Bad pictures: one diagnostic each, by name."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eosdsl.diagnostics import SpecError
from eosdsl.run.images import open_image

PICTURE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8))


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    PICTURE.save(buffer, kind)
    return buffer.getvalue()


def code(path: Path) -> str:
    with pytest.raises(SpecError) as caught:
        open_image(path)
    (diagnostic,) = caught.value.diagnostics
    assert str(path) in diagnostic.message
    return diagnostic.code


def test_a_png_comes_back_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "cat.png").write_bytes(encoded("PNG"))
    assert np.array_equal(np.asarray(open_image(tmp_path / "cat.png")), np.asarray(PICTURE))


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "I;16", "CMYK", "1"])
def test_every_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / ("x.tif" if mode == "CMYK" else "x.png")
    Image.new(mode, (5, 4)).save(path)
    assert open_image(path).mode == "RGB"


def test_exif_rotation_is_followed(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    PICTURE.save(tmp_path / "cat.jpg", exif=exif)
    assert open_image(tmp_path / "cat.jpg").size == (60, 80)


def test_what_is_not_there_or_not_a_file(tmp_path: Path) -> None:
    assert code(tmp_path / "cat.png") == "E0601"
    assert code(tmp_path) == "E0603"


@pytest.mark.parametrize("content", [b"", b"not an image", b"# a spec\nat layer 2: retain 50%\n", b"\x00" * 99])
def test_what_is_not_an_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "cat.png").write_bytes(content)
    assert code(tmp_path / "cat.png") == "E0620"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP"])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_truncated_image_is_damaged(tmp_path: Path, kind: str, share: float) -> None:
    whole = encoded(kind)
    (tmp_path / "cat").write_bytes(whole[: int(len(whole) * share)])
    assert code(tmp_path / "cat") in ("E0620", "E0621")


def test_flipped_bytes_in_a_png_are_damage(tmp_path: Path) -> None:
    whole = bytearray(encoded("PNG"))
    whole[len(whole) // 2] ^= 0xFF
    (tmp_path / "cat.png").write_bytes(whole)
    assert code(tmp_path / "cat.png") == "E0621"


def test_a_decompression_bomb_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cat.png").write_bytes(encoded("PNG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    assert code(tmp_path / "cat.png") == "E0622"
