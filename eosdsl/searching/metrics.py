"""What a search notes of every step: JSON lines always, TensorBoard when asked."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

from eosdsl.diagnostics import SpecError, error
from eosdsl.writing import write_text

Row = Mapping[str, Any]


class Metrics:
    """Rows of a run, appended to `path` as they come. Behind a resumed step the rows of a dead run are dropped."""

    def __init__(self, path: Path, *, after: int, tensorboard: bool) -> None:
        kept = [row for row in read_rows(path) if row["step"] <= after]
        write_text(path, "".join(_line(row) for row in kept))
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._board: Any = _tensorboard(path.parent, after + 1) if tensorboard else None

    def add(self, row: Row) -> None:
        self._file.write(_line(row))
        self._file.flush()
        if self._board is not None:
            for name, value in _scalars(row):
                self._board.add_scalar(name, value, row["step"])

    def close(self) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()


def read_rows(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a file, in order; a last one that was cut off is left out. None where there is no file."""
    if not path.exists():
        return []
    rows: list[dict[str, Any]] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def _line(row: Row) -> str:
    return json.dumps(dict(row)) + "\n"


def _scalars(row: Row) -> Iterator[tuple[str, float]]:
    """Every number of a row by a name: those that have names of their own below the row's, of tokens the mean."""
    for name, value in row.items():
        if isinstance(value, Mapping):
            inner: Mapping[str, float] = value
            yield from ((f"{name}/{key}", float(one)) for key, one in inner.items())
        elif name == "tokens":
            yield "tokens/mean", sum(value) / max(len(value), 1)
        elif isinstance(value, (int, float)) and name != "step":
            yield name, float(value)


def _tensorboard(folder: Path, first: int) -> Any:
    """A writer; what a dead run wrote from step `first` on is not shown."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as problem:
        helps = ("pip install 'eosdsl[search]'",)
        raise SpecError([error("E0698", "--tensorboard needs the package tensorboard", helps=helps)]) from problem
    return SummaryWriter(str(folder / "tensorboard"), purge_step=first)
