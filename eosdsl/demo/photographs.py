"""Real photographs that scikit-image carries inside its wheel: nothing is downloaded."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from PIL import Image

from eosdsl.diagnostics import SpecError, error
from eosdsl.run.images import open_image


def photograph_path(name: str = "chelsea") -> Path:
    """The file of a photograph: `chelsea` (a cat), `astronaut`, `coffee`.

    Raises:
        SpecError: E0698 where scikit-image is not installed.
    """
    package = find_spec("skimage")
    if package is None or package.origin is None:
        raise SpecError(
            [error("E0698", "the demonstration needs the package scikit-image", helps=("pip install scikit-image",))]
        )
    return Path(package.origin).parent / "data" / f"{name}.png"


def photograph(name: str = "chelsea") -> Image.Image:
    """A photograph in RGB. Raises SpecError as `photograph_path` does."""
    return open_image(photograph_path(name))
