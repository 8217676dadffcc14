"""The one format of results: what was measured where, with which settings, and which bounds it met.

    {"eos_benchmark": 1, "name": …, "origin": {machine, versions}, "settings": {threads, dtype, seed, …},
     "rows": [{…}], "bounds": [{"what", "found", "way", "limit"}]}

A row holds text and numbers; a measured ratio is {"median", "low", "high", "rounds"}, low and high being quartiles.
`benchmarks/page.py` makes docs/performance.md of these files, and of nothing else.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from timing import Spread

from eosdsl.evaluating.origin import origin
from eosdsl.writing import write_text

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Bound:
    """What was to be reached, and what was found."""

    what: str
    found: float
    way: Literal["at least", "at most"]
    limit: float

    @property
    def met(self) -> bool:
        return self.found >= self.limit if self.way == "at least" else self.found <= self.limit


@dataclass(frozen=True)
class Results:
    """One benchmark's results. `settings` must hold all that a run was told."""

    name: str
    settings: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]]
    bounds: Sequence[Bound] = ()
    origin: Mapping[str, Any] = field(default_factory=lambda: {**origin(), "device": device_name()})


def write(results: Results, path: Path) -> None:
    """A file that `read` reads, in one piece."""
    rows = [{key: _plain(value) for key, value in row.items()} for row in results.rows]
    data = {
        "eos_benchmark": 1,
        "name": results.name,
        "origin": dict(results.origin),
        "settings": {key: _plain(value) for key, value in results.settings.items()},
        "rows": rows,
        "bounds": [asdict(bound) for bound in results.bounds],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(_rounded(data), indent=1) + "\n")


def read(path: Path) -> Results:
    """Results from a file. Raises ValueError for one of another format."""
    data = json.loads(path.read_text(encoding="utf-8"))
    if data.get("eos_benchmark") != 1:
        raise ValueError(f"{path} holds no results of a benchmark")
    bounds = [Bound(**bound) for bound in data["bounds"]]
    return Results(data["name"], data["settings"], data["rows"], bounds, data["origin"])


def options(description: str | None, name: str) -> argparse.ArgumentParser:
    """A parser with what every benchmark takes: how large, how often, on how many threads, and where results go."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="everything once and small: a look whether it runs")
    parser.add_argument("--size", choices=("small", "7b"), default="small", help="7b: random weights of that shape")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / f"{name}.json", help="where the results go")
    return parser


def start(parser: argparse.ArgumentParser, words: Sequence[str] | None = None) -> argparse.Namespace:
    """What a benchmark was told, with seed and threads set."""
    given = parser.parse_args(words)
    torch.set_num_threads(given.threads)
    torch.manual_seed(given.seed)
    return given


def settings(given: argparse.Namespace) -> dict[str, Any]:
    """What a run was told, but for where its results go."""
    return {key: value for key, value in vars(given).items() if key != "out"}


def device_name() -> str:
    """What it ran on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"


def _plain(value: Any) -> Any:
    if isinstance(value, Spread):
        return value._asdict()
    return str(value) if isinstance(value, Path) else value


def _rounded(value: Any) -> Any:
    """Numbers to six digits: more say nothing of a time."""
    if isinstance(value, float):
        return float(f"{value:.6g}")
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    return [_rounded(one) for one in value] if isinstance(value, list) else value
