"""`eosdsl search` as a program on tiny-llava: killed at random points and resumed, on two processes, over a front."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

import eosdsl
from eosdsl.searching import checkpoint
from eosdsl.searching.trainer import CHECKPOINT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

SPACE = """
space small for llava
at any 1..2 of layers 0..3:
  retain ? 5%..80%
  by ? * attention(query: last) + ? * norm(hidden)
  pick ? {top, diverse}
  via mix(? prune, ? merge)
  with attention_bias: ? 0..1.5 * log_size
minimise task + 0.1 * alignment(hidden)
subject to tokens(mean) <= 48
search with batch: 4, refine: 4, optimiser: adamw(lr: 0.05), temperature: 2 -> 0.05 along cosine, seed: 0
"""
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
LAUNCH = (
    *("-m", "accelerate.commands.launch", "--num_processes", "2", "--num_machines", "1"),
    *("--mixed_precision", "no", "--dynamo_backend", "no"),
)
TIMES = ("seconds", "milliseconds", "full_milliseconds")


def command(folder: Path, *more: str, launcher: tuple[str, ...] = ()) -> list[str]:
    space = folder.parent / "small.eos"
    space.write_text(SPACE)
    given = ("--model", "tiny-llava", "--data", "count,multi", "--out", str(folder), "--questions", "2", "--quiet")
    return [sys.executable, *launcher, "-m", "eosdsl", "search", str(space), *given, *more]


def finished(folder: Path, *more: str, launcher: tuple[str, ...] = ()) -> str:
    own = command(folder, *more, launcher=launcher)
    done = subprocess.run(own, env=ENVIRONMENT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def killed(folder: Path, rows: int, delay: float, *more: str) -> None:
    """Run until so many steps are noted, and a little longer."""
    metrics = folder / "metrics.jsonl"
    with subprocess.Popen(command(folder, *more), env=ENVIRONMENT, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None and not (metrics.exists() and metrics.read_text().count("\n") >= rows):
            time.sleep(0.02)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL, "it was killed while it ran"


def state(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """A finished search: the tensors of its checkpoint, and all that it wrote but times."""
    found = checkpoint.load(folder / CHECKPOINT)
    report = json.loads((folder / "report.json").read_text())
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    without = [
        {name: value for name, value in one.items() if name not in TIMES} for one in (report, found.state, *rows)
    ]
    texts = {path.name: path.read_text() for path in (*folder.glob("*.eos"), folder / "genome.json")}
    return dict(found.tensors), {"without": without, **texts}


def test_killed_at_random_points_it_ends_as_if_it_had_not_been(tmp_path: Path) -> None:
    more = ("--steps", "8", "--checkpoint", "2")
    rng = Random(7)
    killed(tmp_path / "killed", 1, rng.uniform(0, 0.5), *more)
    killed(tmp_path / "killed", 5, rng.uniform(0, 0.5), *more, "--resume")
    killed(tmp_path / "killed", 8, rng.uniform(0, 0.3), *more, "--resume")  # while it derives
    killed(tmp_path / "killed", 8, rng.uniform(0.3, 0.8), *more, "--resume")  # while it compares neighbours
    finished(tmp_path / "killed", *more, "--resume")
    finished(tmp_path / "whole", *more)
    (mine, words), (theirs, others) = state(tmp_path / "killed"), state(tmp_path / "whole")
    assert mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)
    assert words == others


@pytest.mark.parametrize("divided", ["--multi_gpu", "--use_fsdp"])
@pytest.mark.parametrize(("steps", "within"), [(1, 1e-6), (5, 1e-4)])
def test_two_processes_find_what_one_does(tmp_path: Path, steps: int, within: float, divided: str) -> None:
    """Each with all of the weights, and each with its part of them (FSDP)."""
    pytest.importorskip("accelerate")
    finished(tmp_path / "one", "--steps", str(steps))
    finished(tmp_path / "two", "--steps", str(steps), launcher=(*LAUNCH, divided))
    (mine, words), (theirs, others) = state(tmp_path / "two"), state(tmp_path / "one")
    for name, value in theirs.items():
        if name.startswith("parameter/"):
            torch.testing.assert_close(mine[name], value, atol=within, rtol=0)
    assert words["genome.json"] == others["genome.json"]


def test_a_front_is_searched_bound_by_bound(tmp_path: Path) -> None:
    told = finished(tmp_path / "front", "--steps", "2", "--budgets", "64,24")
    for bound in (64, 24):
        folder = tmp_path / "front" / str(bound)
        (spec,) = folder.glob("*.eos")
        assert spec.name == f"small_{bound}.eos" and f"expect tokens(mean) <= {bound}" in spec.read_text()
        assert eosdsl.plan(spec, "tiny-llava").mean_tokens <= bound
        assert not [one for one in eosdsl.check(spec, model="tiny-llava") if one.is_error]
        assert spec.read_text().rstrip() in told and (folder / "report.png").stat().st_size > 10_000
    finished(tmp_path / "front", "--steps", "2", "--budgets", "64,24", "--resume")
