"""Opening pictures; whatever is wrong with one is a diagnostic that names it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.reading import os_error_diagnostic


def open_image(path: Path) -> Image.Image:
    """The picture in RGB, turned the way its EXIF entry says.

    Raises:
        SpecError: E060x where the file cannot be read, E0620 not an image, E0621 damaged, E0622 too large.
    """
    try:
        with path.open("rb") as handle, Image.open(handle) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except UnidentifiedImageError as problem:
        raise SpecError([error("E0620", f"{path} is not an image")]) from problem
    except Image.DecompressionBombError as problem:
        raise SpecError([error("E0622", f"{path}: {problem}".rstrip("."))]) from problem
    except OSError as problem:
        # Pillow reports a truncated file as an OSError without an errno
        found = os_error_diagnostic(problem, path) if problem.errno else _damaged(path, problem)
        raise SpecError([found]) from problem
    except (SyntaxError, ValueError, EOFError, IndexError, TypeError) as problem:  # what decoders raise on bad bytes
        raise SpecError([_damaged(path, problem)]) from problem


def _damaged(path: Path, problem: Exception) -> Diagnostic:
    return error("E0621", f"{path} is damaged: {str(problem).rstrip('.') or type(problem).__name__}")
