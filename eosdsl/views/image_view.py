"""Which part of a picture a model sees, and where in it each visual token lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eosdsl.diagnostics import SpecError, error


@dataclass(frozen=True)
class ImageView:
    """What the model sees of an image, in pixels of that image, and its grid of visual tokens (rows, columns).

    The edges may lie outside the image, where a processor pads.
    """

    left: float
    top: float
    right: float
    bottom: float
    rows: int
    columns: int

    @property
    def tokens(self) -> int:
        return self.rows * self.columns

    def cell(self, token: int) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of a token, counted row by row from the top left."""
        row, column = divmod(token, self.columns)
        width = (self.right - self.left) / self.columns
        height = (self.bottom - self.top) / self.rows
        left, top = self.left + column * width, self.top + row * height
        return left, top, left + width, top + height


@dataclass(frozen=True)
class Preparation:
    """How an image processor prepares an image. Sides in pixels; `resized` is (height, width) or the shorter side."""

    pad_to_square: bool
    resized: tuple[int, int] | int | None
    cropped: tuple[int, int] | None

    @classmethod
    def of(cls, processor: Any) -> Preparation:
        """Read the settings of a transformers image processor.

        Raises:
            SpecError: E0624 where it does something else than pad, resize and crop.
        """
        return cls(
            # only LLaVA's own processor pads an image to a square before it resizes
            pad_to_square=bool(getattr(processor, "do_pad", False)) and hasattr(processor, "pad_to_square"),
            resized=_resized(processor) if getattr(processor, "do_resize", False) else None,
            cropped=_sides(processor.crop_size) if getattr(processor, "do_center_crop", False) else None,
        )

    def view(self, width: int, height: int, grid: tuple[int, int], cell_side: int) -> ImageView:
        """The view of an image of `width` x `height` pixels; a token covers `cell_side` pixels after preparation."""
        side = max(width, height)
        # integer halves, as the processors themselves round
        pad_left, pad_top = ((side - width) // 2, (side - height) // 2) if self.pad_to_square else (0, 0)
        square = (side, side) if self.pad_to_square else (height, width)
        resized = self._resize(*square)
        top, left = self._crop_start(*resized)
        scale_y, scale_x = square[0] / resized[0], square[1] / resized[1]
        rows, columns = grid
        return ImageView(
            left=left * scale_x - pad_left,
            top=top * scale_y - pad_top,
            right=(left + columns * cell_side) * scale_x - pad_left,
            bottom=(top + rows * cell_side) * scale_y - pad_top,
            rows=rows,
            columns=columns,
        )

    def _resize(self, height: int, width: int) -> tuple[int, int]:
        if self.resized is None:
            return height, width
        if isinstance(self.resized, tuple):
            return self.resized
        longer = int(self.resized * max(height, width) / min(height, width))
        return (longer, self.resized) if width <= height else (self.resized, longer)

    def _crop_start(self, height: int, width: int) -> tuple[int, int]:
        """Where the crop begins; negative where the image is smaller than the crop and is padded."""
        if self.cropped is None:
            return 0, 0
        return (height - self.cropped[0]) // 2, (width - self.cropped[1]) // 2


def _resized(processor: Any) -> tuple[int, int] | int:
    size = processor.size
    if _entry(size, "longest_edge") is None and _entry(size, "shortest_edge") is not None:
        return int(_entry(size, "shortest_edge") or 0)
    return _sides(size)


def _sides(size: Any) -> tuple[int, int]:
    height, width = _entry(size, "height"), _entry(size, "width")
    if height is None or width is None:
        raise SpecError([error("E0624", f"an overlay cannot be drawn for an image processor of size {dict(size)}")])
    return height, width


def _entry(size: Any, name: str) -> int | None:
    """An entry of a size, which transformers gives as a mapping or as an object with attributes."""
    value = size.get(name) if isinstance(size, Mapping) else getattr(size, name, None)
    return None if value is None else int(value)
