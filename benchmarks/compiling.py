"""What it takes to plan and to compile: in seconds over the import of torch, and by layers and steps.

python benchmarks/compiling.py
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from random_llava import build
from recording import Bound, Results, options, settings, start, write
from timing import in_turns, slope, spread

import eosdsl
from eosdsl.resources import resource

NAME = "compiling"
MODEL = "llava-1.5-7b"
LAYERS = (8, 16, 32, 64, 128)
STEPS = (1, 4, 16, 64)


def one_start(command: Sequence[str]) -> float:
    """Seconds of processor time of a whole process."""
    before = os.times()
    subprocess.run(command, check=True, capture_output=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def starts(rounds: int) -> dict[str, list[float]]:
    """Processes in turns: Python with torch alone, and planning, on the command line and from Python."""
    spec = str(resource("specs") / "methods" / "fastv.eos")
    planning = f"import eosdsl, pathlib; eosdsl.plan(pathlib.Path({spec!r}), {MODEL!r})"
    commands = {
        "import torch": [sys.executable, "-c", "import torch"],
        "eosdsl plan": [str(Path(sys.executable).parent / "eosdsl"), "plan", spec, "--model", MODEL],
        "import torch, eosdsl.plan": [sys.executable, "-c", f"import torch; {planning}"],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(1 + rounds):
        for name, command in commands.items():
            once = one_start(command)
            if number or rounds == 0:  # the first fills the system's cache of files
                taken[name].append(once)
    return taken


def spec_of(steps: int, layers: int) -> str:
    """So many steps, evenly apart, each keeping a little less than the one before."""
    places = [1 + number * (layers - 1) // steps for number in range(steps)]
    return "".join(
        f"at layer {place}: retain {90 - 80 * number / steps:.3f}% by attention(query: last) via merge\n"
        for number, place in enumerate(places)
    )


def compile_times(sizes: Sequence[tuple[int, int]], rounds: int) -> list[float]:
    """Seconds to compile and attach, for (layers, steps); the least of some, as nothing but noise makes them longer."""
    import torch

    models = {layers: build(64, layers, 576, torch.float32, "cpu") for layers in {layers for layers, _ in sizes}}

    def once(layers: int, steps: int) -> None:
        eosdsl.compile(spec_of(steps, layers), models[layers]).detach()

    runs = {f"{layers} {steps}": (lambda layers=layers, steps=steps: once(layers, steps)) for layers, steps in sizes}
    return [min(own) for own in in_turns(runs, rounds).values()]


def main(words: Sequence[str] | None = None) -> int:
    given = start(options(__doc__, NAME), words)
    few, many = (LAYERS[:2], STEPS[:2]) if given.tiny else (LAYERS, STEPS)
    rounds = 1 if given.tiny else given.rounds
    times = starts(0 if given.tiny else min(rounds, 5))
    bare = spread(times["import torch"]).median
    rows: list[dict[str, Any]] = [
        {"case": name, "seconds": spread(own).median, "over_torch_s": spread(own).median - bare}
        for name, own in times.items()
    ]
    by_layers = compile_times([(layers, 1) for layers in few], rounds)
    by_steps = compile_times([(max(few), steps) for steps in many], rounds)
    rows += [
        {"case": "compile", "layers": layers, "steps": 1, "seconds": once}
        for layers, once in zip(few, by_layers, strict=True)
    ]
    rows += [
        {"case": "compile", "layers": max(few), "steps": steps, "seconds": once}
        for steps, once in zip(many, by_steps, strict=True)
    ]
    for row in rows:
        size = f"{row['layers']} layers, {row['steps']} steps" if "layers" in row else ""
        print(f"{row['case']:28}{size:24}{row['seconds']:9.4f} s")
    bounds = [
        Bound("planning for 7B, seconds over the import of torch", rows[2]["over_torch_s"], "at most", 3.0),
        Bound("growth of compiling with layers (1 is linear)", slope(few[-3:], by_layers[-3:]), "at most", 1.1),
        Bound("growth of compiling with steps (1 is linear)", slope(many[-2:], by_steps[-2:]), "at most", 1.1),
    ]
    for bound in bounds:
        print(f"{bound.what}: {bound.found:.3f}, {bound.way} {bound.limit}")
    write(Results(NAME, {**settings(given), "model": MODEL}, rows, bounds), given.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
