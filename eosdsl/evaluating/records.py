"""What an evaluation writes down: one record an answer, in shards of one batch, and the manifest that says of what.

A shard is written beside its place and renamed: after a kill there are whole batches and nothing else, and the same
command goes on behind them. Torch-free.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.reading import os_error_diagnostic
from eosdsl.writing import write_text

MANIFEST, SHARDS, RESULTS = "eval.json", "shards", "results.jsonl"


@dataclass(frozen=True, slots=True)
class Record:
    """One answer of one side. `tokens`: mean of visual tokens entering decoder layers, per image, measured."""

    side: str
    method: str
    budget: str
    task: str
    index: int
    question: str
    answer: str
    given: str
    correct: bool
    tokens: float
    images: int


class Folder:
    """The folder of an evaluation.

    Raises:
        SpecError: E0682 where it holds another evaluation, E060x where it cannot be written.
    """

    def __init__(self, path: Path, manifest: Mapping[str, Any]) -> None:
        self.path = path
        written = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        try:
            (path / SHARDS).mkdir(parents=True, exist_ok=True)
            _refuse_another(path, json.loads(written))
        except OSError as problem:
            raise SpecError([os_error_diagnostic(problem, path)]) from problem
        write_text(path / MANIFEST, written)

    def has(self, number: int) -> bool:
        """Whether the batch of this number is done."""
        return self._shard(number).is_file()

    def write(self, number: int, records: Sequence[Record]) -> None:
        """A whole batch."""
        write_text(self._shard(number), lines(records))

    def records(self, batches: int) -> list[Record]:
        """All records of so many batches, in order."""
        return [one for number in range(batches) for one in read_records(self._shard(number))]

    def _shard(self, number: int) -> Path:
        return self.path / SHARDS / f"{number:05}.jsonl"


def lines(records: Sequence[Record]) -> str:
    """Records as JSON lines."""
    return "".join(json.dumps(asdict(one), ensure_ascii=False) + "\n" for one in records)


def read_records(path: Path) -> Iterator[Record]:
    """The records of a file. Raises SpecError: E060x, E0684 where it was not written by an evaluation."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, path)]) from problem
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            yield Record(**json.loads(line))
        except (ValueError, TypeError) as problem:
            helps = ("remove it, and the same command makes it again",)
            message = f"{path}:{number}: not a record of an evaluation"
            raise SpecError([error("E0684", message, helps=helps)]) from problem


def _refuse_another(path: Path, manifest: Mapping[str, Any]) -> None:
    standing = path / MANIFEST
    if not standing.is_file():
        return
    try:
        old: Any = json.loads(standing.read_text(encoding="utf-8"))
    except ValueError:
        old = {}
    old = old if isinstance(old, dict) else {}
    differing = [key for key in manifest if manifest[key] != old.get(key)]
    if differing:
        helps = ("name a new folder, or remove this one",)
        message = f"{path} holds an evaluation with another {', another '.join(differing)}"
        raise SpecError([error("E0682", message, helps=helps)])
