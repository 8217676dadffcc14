"""Folders of Hugging Face `datasets`: what `save_to_disk` wrote, and image folders with a `metadata.jsonl`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.tasks.base import MEDIUM, Example, Image
from eosdsl.tasks.jsonl import BadLine, Loaded, finished, image_array, load_jsonl, questions_of

METADATA = "metadata.jsonl"


def is_dataset_folder(path: Path) -> bool:
    """Whether a path is a folder, and so no file of JSON lines."""
    return path.is_dir()


def load_folder(
    path: Path, *, skip_bad: bool = False, can_write: Callable[[str], bool] | None = None, split: str | None = None
) -> Loaded:
    """The examples of a folder: rows with `image` (or `images`), `question` and `answer`, or LLaVA's `conversations`.

    Args:
        path: what `dataset.save_to_disk(path)` wrote, or a folder of images with `metadata.jsonl`, whose lines name
            their image by `file_name`.
        skip_bad: hand bad rows back instead of raising.
        can_write: whether the model's tokenizer can write an answer.
        split: of several; by default `test`, else the last in alphabetical order.

    Raises:
        SpecError: E0698 where the package `datasets` is missing, E0669 where the folder is no such thing, E066x for
            bad rows.
    """
    if (path / METADATA).is_file():
        return load_jsonl(path / METADATA, skip_bad=skip_bad, can_write=can_write)
    examples: list[Example] = []
    bad: list[Diagnostic] = []
    for number, row in enumerate(_rows(path, split)):
        try:
            examples += _examples(row, path, number, can_write)
        except BadLine as problem:
            bad.append(error(problem.code, f"{path}, row {number}: {problem.reason}"))
    return finished(examples, bad, path, skip_bad)


def _rows(path: Path, split: str | None) -> Any:
    if not any((path / name).is_file() for name in ("state.json", "dataset_dict.json")):
        helps = (f"a folder needs {METADATA}, or is what `dataset.save_to_disk(folder)` wrote",)
        raise SpecError([error("E0669", f"{path} is no folder of data", helps=helps)])
    try:
        import datasets  # pyright: ignore[reportMissingImports]  # an extra
    except ImportError as problem:
        helps = ("pip install datasets",)
        raise SpecError(
            [error("E0698", "reading a datasets folder needs the package datasets", helps=helps)]
        ) from problem
    try:
        loaded: Any = datasets.load_from_disk(str(path))
    except Exception as problem:  # a damaged folder shows in many ways
        reason = " ".join(str(problem).split())[:200]
        raise SpecError([error("E0669", f"{path} is no folder of data: {reason}")]) from problem
    if not hasattr(loaded, "keys"):
        return loaded
    names = sorted(loaded.keys())
    return loaded[split or ("test" if "test" in names else names[-1])]


def _examples(row: dict[str, Any], path: Path, number: int, can_write: Callable[[str], bool] | None) -> list[Example]:
    turns = questions_of(row, can_write)
    found = row.get("image", row.get("images"))
    images = tuple(_image(one, path) for one in _listed(found))
    return [
        Example(images, question, answer, path.stem, "test", MEDIUM, {"line": number, "turn": i, "before": turns[:i]})
        for i, (question, answer) in enumerate(turns)
    ]


def _listed(found: Any) -> list[Any]:
    if found is None:
        return []
    return list(found) if isinstance(found, (list, tuple)) else [found]


def _image(found: Any, path: Path) -> Image:
    """A picture as `datasets` decodes it, or a path to one from the folder."""
    if isinstance(found, str):
        return image_array(path / found)
    try:
        return np.asarray(found.convert("RGB"))
    except Exception as problem:  # decoders raise what they like
        raise BadLine("E0663", f"the image cannot be used: {problem}") from problem
