"""The benchmarks run, once and tiny; nothing is said of times."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import adapters
import pytest
import torch
from bench import RUNS, Run
from page import POINTS, SECTIONS, page
from recording import read, write

SCRIPTS = Path(__file__).resolve().parents[2] / "benchmarks"
FORMATTED = [run for run in RUNS if run.own is None]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.set_num_threads(1)
    torch.compiler.reset()


@pytest.mark.parametrize("run", FORMATTED, ids=lambda run: run.name)
def test_a_script_runs_and_its_results_make_a_page(run: Run, tmp_path: Path) -> None:
    goal = tmp_path / f"{run.name}.json"
    script = importlib.import_module(run.script.removesuffix(".py"))
    assert script.main([*run.tiny, *run.always, "--out", str(goal)]) == 0
    found = read(goal)
    assert found.rows and found.bounds
    assert {"threads", "dtype", "seed"} <= set(found.settings)
    text = page(tmp_path)
    assert all(str(row.get("case") or row["kind"]) in text for row in found.rows)
    CHECKS.get(run.name, list)([*found.rows])


def ways_agree_alone_and_only_ours_is_right_in_a_padded_batch(rows: list[Mapping[str, Any]]) -> None:
    assert all(row["difference"] < 1e-4 for row in rows)
    ours, *others = rows
    assert ours["right"] == ours["sequences"]
    assert all(row["right"] < row["sequences"] / 2 for row in others)


def cache_bytes_are_the_plans(rows: list[Mapping[str, Any]]) -> None:
    assert [row["bytes_to_plan"] for row in rows[:-1]] == [1.0] * (len(rows) - 1)


CHECKS: dict[str, Callable[[list[Mapping[str, Any]]], object]] = {
    "peers": ways_agree_alone_and_only_ours_is_right_in_a_padded_batch,
    "decode": cache_bytes_are_the_plans,
}


OWN: dict[str, Any] = {
    "operators": {
        "threads": 1,
        "rows": [
            {"operator": name, "batch": 8, "tokens": 576, "kept": 64, "ours_ms": 1.0, "loop_ms": loop, "ours_mib": 1.0}
            | {"loop_mib": 2.0}
            | ({"moves_ms": 0.5} if name == "merging" else {})
            for name, loop in (("max-min", 6.0), ("dpp", 4.0), ("density peaks", 9.0), ("merging", None))
        ],
        "memory_growth": {"max-min": [1.01, 0.5], "dpp": [2.0, 1.0]},
    },
    "language": {
        "rows": [
            {"text": "clean", "statements": n, "check": n * 1e-4, "ratio": 1.5, "lark": 1.0} for n in (10, 100, 1000)
        ],
        "starts": [],
    },
}  # fmt: skip


@pytest.mark.parametrize("name", OWN)
def test_other_formats_are_taken_into_the_one(name: str, tmp_path: Path) -> None:
    results = adapters.ADAPTERS[name](json.loads(json.dumps(OWN[name])), {"words": "--quick"})
    write(results, tmp_path / f"{name}.json")
    tables = page(tmp_path).count("\n| ")
    assert tables == 1 + len(POINTS) + 1 + len(results.rows) + 1 + len(results.bounds)
    met = [bound.met for bound in results.bounds]
    wanted = [True, False, True, False, True, False, True, True] if name == "operators" else [True, True]
    assert met == wanted


def test_the_page_says_of_every_point_how_many_bounds_are_met(tmp_path: Path) -> None:
    write(adapters.operators(OWN["operators"], {"words": "--quick"}), tmp_path / "operators.json")
    (line,) = [one for one in page(tmp_path).splitlines() if one.startswith("| Operators |")]
    assert line.startswith("| Operators | 5 of 8 | as fast as a loop, 576 tokens, batch 8: dpp: 4, at least 5; ")
    assert {name for names in POINTS.values() for name in names} == {section.name for section in SECTIONS}


def test_every_run_has_a_section_and_the_committed_page_is_what_the_data_say() -> None:
    assert {run.name for run in RUNS} == {section.name for section in SECTIONS}
    committed = SCRIPTS.parent / "docs" / "performance.md"
    assert committed.read_text(encoding="utf-8") == page(SCRIPTS / "results")


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_all_of_them_one_after_the_other(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPTS / "bench.py"), "--tiny", "--out", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=870)
    assert done.returncode == 0, done.stderr
    assert {path.stem for path in tmp_path.glob("*.json")} == {run.name for run in RUNS}
