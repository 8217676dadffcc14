"""Searches on tiny-llava: every way of searching, at every budget, with every seed; what is there already is kept.

`python benchmarks/searches.py --out build/searches` runs what is missing. `python -m eosdsl.evaluating.searches` asks
all that was found the questions of the test split, beside the published methods (`make searches` does both).
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Mapping
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any

import torch

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.later import later
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.spell import spell

SPACE = Path("specs/spaces/schedule.eos")  # from the root of the repository: what was found names it
BUDGETS = (4, 16, 32, 48)
"""Mean tokens of 144: 16, 64, 128 and 192 of 576."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/searches"))
    parser.add_argument("--space", type=Path, default=SPACE)
    parser.add_argument("--model", default="tiny-llava")
    parser.add_argument("--data", default="tasks")
    parser.add_argument("--methods", nargs="+", default=["relaxed", "random", "tpe", "cma-es"])
    parser.add_argument("--budgets", nargs="+", type=int, default=BUDGETS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--questions", type=int, default=192)
    parser.add_argument("--tag", default="", help="of an ablation: behind the method's name")
    parser.add_argument("--steps", type=int)
    parser.add_argument("--collect", type=Path, help="search nothing: copy what was found to this folder")
    parser.add_argument("--later", type=int, default=0, help="of what is collected by gradient: places so much later")
    parser.add_argument("--replace", nargs=2, action="append", default=[], help="text in the space, by another")
    given = parser.parse_args()
    if given.collect is not None:
        _collect(given.out, given.collect, given.later)
        return
    torch.set_num_threads(1)
    for seed, method, budget in product(given.seeds, given.methods, given.budgets):
        folder = given.out / f"{method}{given.tag}-{budget}-{seed}"
        if not (folder / "report.json").exists():
            _search(given, method, budget, seed, folder)


def _collect(searches: Path, to: Path, layers: int) -> None:
    """Operators and reports by the names of their searches; with places `layers` later only those by gradient, for
    another model."""
    to.mkdir(parents=True, exist_ok=True)
    for report in sorted(searches.glob("relaxed-*/report.json" if layers else "*/report.json")):
        (operator,) = report.parent.glob("*.eos")
        name = report.parent.name
        if layers:
            program = eosdsl.parse(operator)
            assert isinstance(program, DiscreteProgram)
            told = f"found on tiny-llava as {name}.eos; places behind layer 0 later by {layers}"
            moved = later(program, layers).model_copy(update={"comment": (told,)})
            (to / f"{name}.eos").write_text(spell(moved), encoding="utf-8")
            continue
        shutil.copy(operator, to / f"{name}.eos")
        shutil.copy(report, to / f"{name}.json")


def _search(given: Any, method: str, budget: int, seed: int, folder: Path) -> None:
    started = perf_counter()
    space: Any = given.space
    if given.replace:
        space = given.space.read_text(encoding="utf-8")
        for old, new in given.replace:
            assert old in space, f"{old!r} does not stand in {given.space}"
            space = space.replace(old, new)

    def watch(row: Mapping[str, Any]) -> None:
        if row["step"] % 10 == 0:
            print(f"  step {row['step']}: {row.get('task', row.get('best')):.3f}", flush=True)

    try:
        result = eosdsl.search(
            space,
            given.model,
            given.data,
            folder,
            settings={"budget": f"{budget} tokens"},
            overrides={"seed": seed, "steps": given.steps},
            method=method,
            questions=given.questions,
            resume=(folder / "metrics.jsonl").exists(),
            watch=watch,
        )
    except SpecError as problem:
        print(f"{folder.name}: {problem}", flush=True)
        return
    told = {"name": folder.name, "task": result.report.check.task, "accuracy": result.report.check.accuracy}
    print(json.dumps({**told, "seconds": round(perf_counter() - started)}), flush=True)
    print(result.text, flush=True)


if __name__ == "__main__":
    main()
