"""Answers as Parquet, for who has pyarrow (`pip install 'eosdsl[eval]'`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.evaluating.records import Record
from eosdsl.writing import file_in_one_piece

PARQUET = "results.parquet"


def can_write_parquet() -> bool:
    """Whether pyarrow is installed."""
    return find_spec("pyarrow") is not None


def refuse_parquet() -> None:
    """Raise SpecError (E0698) where pyarrow is missing."""
    if not can_write_parquet():
        helps = ("pip install pyarrow", "or leave --parquet out: results.jsonl holds the same")
        raise SpecError([error("E0698", "writing Parquet needs the package pyarrow", helps=helps)])


def write_parquet(records: Sequence[Record], path: Path) -> None:
    """One row an answer, one column a field of `Record`.

    Raises:
        SpecError: E0698 where pyarrow is missing, E060x where the file cannot be written.
    """
    refuse_parquet()
    import pyarrow
    import pyarrow.parquet

    parquet: Any = pyarrow.parquet
    rows = [asdict(one) for one in records]
    columns = {field.name: [row[field.name] for row in rows] for field in fields(Record)}
    with file_in_one_piece(path) as unfinished:
        parquet.write_table(pyarrow.table(columns), unfinished)
