"""All benchmarks, one after the other, and the page that is made of what they find.

python benchmarks/bench.py                     all bounds of issue 8 in ten minutes on two free cores; `make bench`
python benchmarks/bench.py --long              more cases and more rounds, in half an hour; `make bench-long`
python benchmarks/bench.py --only prefill      one of them
python benchmarks/bench.py --size 7b           on a GPU: the shape of LLaVA-1.5-7B, random weights
python benchmarks/bench.py --tiny --out FOLDER everything once and small: a look whether it runs
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adapters import ADAPTERS
from recording import RESULTS, read, write

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Run:
    """A script with what it is told in `make bench`; `own`: how one says where results go that adapters read.

    always: what it is told however long it may take; words, long: besides, in ten minutes or in half an hour.
    `half`: on a GPU, at the size of 7B, it runs in bfloat16, as such models do.
    """

    name: str
    script: str
    words: tuple[str, ...] = ()
    long: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    tiny: tuple[str, ...] = ("--tiny",)
    own: str | None = None
    half: bool = True


STEPS = ("--part", "step", "--part", "sites", "--part", "tokens")
RUNS = (
    Run("prefill", "prefill.py", ("--short", "--rounds", "4"), half=False),
    Run("prefill_bfloat16", "prefill.py", ("--short", "--rounds", "4"), always=("--dtype", "bfloat16")),
    Run("peers", "peers.py", ("--rounds", "5")),
    Run("decode", "decode.py", ("--rounds", "4"), tiny=("--tiny", "--backend", "eager")),
    Run("compiling", "compiling.py", ("--rounds", "3"), ("--rounds", "5")),
    Run("latency", "latency.py", ("--rounds", "3")),
    Run("operators", "operators.py", ("--quick",), own="--json"),
    Run("language", "language.py", ("--quick",), own="--json"),
    Run("search", "search.py", ("--short", "--rounds", "2"), ("--rounds", "3"), STEPS, half=False),
)


def words_of(run: Run, given: argparse.Namespace) -> list[str]:
    """What a script is told. Only those in the one format know sizes and devices."""
    if given.tiny:
        return [*run.tiny, *run.always]
    words = [*(run.long if given.long else run.words), *run.always]
    if run.own is not None:
        return words
    half = ["--dtype", "bfloat16"] if given.size == "7b" and run.half and "--dtype" not in words else []
    return [*words, "--size", given.size, *half]


def perform(run: Run, given: argparse.Namespace) -> bool:
    """Run a script in a process of its own; whether its results are there."""
    goal = given.out / f"{run.name}.json"
    place = goal if run.own is None else goal.with_suffix(".own.json")
    words = words_of(run, given)
    command = [sys.executable, str(HERE / run.script), *words, run.own or "--out", str(place)]
    environment = {**os.environ, "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    place.unlink(missing_ok=True)
    code = subprocess.run(command, env=environment).returncode
    if not place.is_file():
        print(f"error: {run.script} ended with {code} and left no results", file=sys.stderr)
        return False
    if run.own is not None:
        data = json.loads(place.read_text(encoding="utf-8"))
        place.unlink()
        write(ADAPTERS[run.name](data, {"words": " ".join(words)}), goal)
    return True


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="everything once and small")
    parser.add_argument("--long", action="store_true", help="more cases and more rounds, in half an hour")
    parser.add_argument("--size", choices=("small", "7b"), default="small", help="7b: random weights of that shape")
    parser.add_argument("--only", nargs="+", choices=[run.name for run in RUNS], help="some of them")
    parser.add_argument("--out", type=Path, default=RESULTS, help="the folder of results")
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    failed: list[str] = []
    for run in RUNS:
        if given.only and run.name not in given.only:
            continue
        print(f"\n== {run.name}", flush=True)
        started = time.perf_counter()
        if not perform(run, given):
            failed.append(run.name)
        print(f"({time.perf_counter() - started:.0f} s)", flush=True)
    unmet = [
        f"{run.name}: {bound.what}: {bound.found:.4g}, {bound.way} {bound.limit:g}"
        for run in RUNS
        if (given.out / f"{run.name}.json").is_file()
        for bound in read(given.out / f"{run.name}.json").bounds
        if not bound.met
    ]
    print("\n".join(["", "bounds not met:", *unmet] if unmet else ["", "all bounds met"]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
