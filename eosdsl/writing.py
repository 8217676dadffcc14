"""Writing in one piece: beside the place, then renamed, so that a full disk or a Ctrl-C leaves nothing half-written."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from eosdsl.diagnostics import SpecError, error
from eosdsl.reading import os_error_diagnostic

CODES = {
    "E0608": """The folder to write to holds something else.

    A folder is only replaced where it holds an earlier output of the same kind. Name a new folder, or remove this one.
    """,
}


@contextmanager
def file_in_one_piece(path: Path) -> Generator[Path]:
    """A new file beside `path` (with its suffix) to write to; it takes the place of `path` when the block ends well.

    Raises:
        SpecError: E060x where the folder or the file cannot be written.
    """
    with _as_diagnostic(path):
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "is a directory", str(path))
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem}-", suffix=path.suffix)
        os.close(handle)
        unfinished = Path(name)
        try:
            yield unfinished
            unfinished.chmod(0o666 & ~_umask())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A file of UTF-8 in one piece. Raises SpecError as `file_in_one_piece` does."""
    with file_in_one_piece(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


@contextmanager
def folder_in_one_piece(path: Path, replaces: str) -> Generator[Path]:
    """A new folder beside `path` to write to; it takes the place of `path` when the block ends well.

    An existing `path` is replaced only where it is empty or holds a file named `replaces`.

    Raises:
        SpecError: E0608 where `path` holds something else, E060x where it cannot be written.
    """
    with _as_diagnostic(path):
        _refuse_strangers(path, replaces)
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-"))
        try:
            yield unfinished
            unfinished.chmod(0o777 & ~_umask())
            _take_place(unfinished, path)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)


def _refuse_strangers(path: Path, replaces: str) -> None:
    standing = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not standing.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "not a directory", str(standing))
    if standing != path:
        return
    if any(path.iterdir()) and not (path / replaces).is_file():
        raise SpecError([error("E0608", f"{path} holds something else and is not overwritten")])


def _take_place(unfinished: Path, path: Path) -> None:
    """Two renames: a reader sees the old folder, for an instant none, or the new one, never a mixture."""
    if not path.exists():
        unfinished.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}-old-"))
    path.rename(old / "old")
    try:
        unfinished.rename(path)
    except OSError:
        (old / "old").rename(path)
        raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


@contextmanager
def _as_diagnostic(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, path)]) from problem


def _umask() -> int:
    """The process's umask: temporary files are private, the outputs should be like any other file."""
    mask = os.umask(0)
    os.umask(mask)
    return mask
