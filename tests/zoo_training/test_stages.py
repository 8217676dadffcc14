"""Stages: interrupted and resumed is the same as never interrupted; growing keeps what was learned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import pytest
import torch
from typer.testing import CliRunner

from eosdsl.diagnostics import SpecError
from eosdsl.tasks.base import MEDIUM
from eosdsl.zoo.train import STAGES, train
from eosdsl.zoo.train_batch import make_batch
from eosdsl.zoo.train_loop import Pace, Progress, run_stage
from eosdsl.zoo.train_packs import LEVELS, make_pack
from eosdsl.zoo.train_read import forward, oracle_cells
from eosdsl.zoo.train_stages import Align, Join, Read
from eosdsl.zoo.trainees import Recipe

STEPS = 2
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SHORT = Pace(steps=4, cool=2, muon=1e-2, adam=1e-3)


def silent(stage: str, progress: Progress, loss: float) -> None:
    pass


@pytest.mark.parametrize("make", [Read, Align])
def test_resuming_gives_the_weights_of_an_unbroken_run(make: type[Read] | type[Align], tmp_path: Path) -> None:
    whole, steps = make(3, SHORT), list[int]()
    assert run_stage(whole, tmp_path / "whole", 3, silent)

    def count(stage: str, progress: Progress, loss: float) -> None:
        steps.append(progress.step)

    resumed = make(3, SHORT)
    while not run_stage(resumed, tmp_path / "broken", 3, count, stop_after=0.0):
        resumed = make(3, SHORT)
    assert steps == [1, 2, 3, 4]
    for (name, a), (_, b) in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name


def test_join_refuses_halves_that_are_not_finished(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="join builds on read and align"):
        train("tiny-llava", tmp_path / "out", silent, stages=("join",))


def test_eight_layers_begin_as_the_five_that_can_read() -> None:
    read, align = Read(0, SHORT), Align(0, SHORT)
    with torch.no_grad():
        for _name, parameter in read.parameters():
            if parameter.ndim == 2:
                parameter.normal_(0, 0.1)
    join = Join(0, SHORT, read, align)
    rng = Random(0)
    batch = make_batch([make_pack(LEVELS[-1][0], rng, MEDIUM)], 144, rng)
    cells = oracle_cells(read.codes, batch, 0.0)
    assert len(join.language.model.layers) == 8
    torch.testing.assert_close(
        forward(join.language, batch, cells), forward(read.model, batch, cells), atol=1e-4, rtol=1e-4
    )


def test_levels_rise_with_accuracy() -> None:
    read = Read(0, SHORT)
    progress = Progress(accuracy={"attr": 0.9, "exist": 0.9, "needle": 0.9, "photo": 1.0})
    assert not read.advance(progress)
    assert progress.level == 1
    assert not read.advance(progress)
    assert progress.level == 1
    everything = {family.name for kind in LEVELS[-1] for family in kind.families}
    progress = Progress(level=len(LEVELS) - 1, accuracy=dict.fromkeys(everything, 0.99))
    assert read.advance(progress)


def test_a_checkpoint_of_another_training_is_not_gone_on_with(tmp_path: Path) -> None:
    assert not run_stage(Align(3, SHORT), tmp_path, 3, silent, stop_after=0.0)
    for pace, seed, said in (
        (SHORT, 4, "seed 3 (asked for: 4)"),
        (Pace(5, 2, 1e-2, 1e-3), 3, "steps 4 (asked for: 5)"),
    ):
        with pytest.raises(SpecError) as caught:
            run_stage(Align(seed, pace), tmp_path, seed, silent)
        assert caught.value.diagnostics[0].code == "E0686"
        assert said in caught.value.diagnostics[0].message
    assert not run_stage(Align(3, SHORT), tmp_path, 3, silent, stop_after=0.0)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_from_nothing_to_a_model_through_kills(tmp_path: Path) -> None:
    """The documented command, with few steps: stopped within `read`, killed within `align` and within `join`."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert run(whole).returncode == 0
    saved = tmp_path / "broken-training"
    assert run(broken, "--minutes", "0").returncode == 0
    assert torch.load(saved / "read.pt", weights_only=True)["progress"]["step"] == 1
    kill_once_there(broken, saved / "read.pt", steps=STEPS)
    kill_once_there(broken, saved / "align.pt", steps=STEPS)
    assert not broken.exists()
    assert run(broken).returncode == 0
    assert (broken / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    card = json.loads((broken / "zoo.json").read_text())
    assert {name: stage["steps"] for name, stage in card["stages"].items()} == dict.fromkeys(STAGES, STEPS)
    assert "A rehearsal of 2 steps a stage" in (broken / "README.md").read_text()
    refused = run(broken, "--seed", "1")
    assert refused.returncode == 2
    assert "E0686" in refused.stderr


def command(out: Path) -> list[str]:
    return [
        sys.executable,
        "-m",
        "eosdsl",
        "zoo",
        "train",
        "tiny-llava",
        "--out",
        str(out),
        "--steps",
        str(STEPS),
        "-q",
    ]


def run(out: Path, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*command(out), *more], capture_output=True, text=True, timeout=600, env=ENVIRONMENT)


def kill_once_there(out: Path, checkpoint: Path, steps: int) -> None:
    """Start the command, and kill it at once when a stage's last checkpoint is written: it is in the next stage."""
    with subprocess.Popen(command(out), env=ENVIRONMENT) as process:
        while process.poll() is None:
            if checkpoint.exists() and torch.load(checkpoint, weights_only=True)["progress"]["step"] == steps:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.05)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.slow
def test_the_command_trains_writes_and_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoModelForImageTextToText, AutoProcessor

    import eosdsl.zoo.train
    from eosdsl.cli.main import app

    join = Pace(2, 1, 1e-3, 1e-3)
    monkeypatch.setattr(eosdsl.zoo.train, "recipe_of", lambda _, seed: Recipe(SHORT, SHORT, join, seed, questions=2))
    out = tmp_path / "tiny"
    for stage in ("read", "align", "join"):
        result = CliRunner().invoke(app, ["zoo", "train", "tiny-llava", "--out", str(out), "--stage", stage, "-q"])
        assert result.exit_code == 0, result.output
    card = json.loads((out / "zoo.json").read_text())
    assert set(card["families"]) == {"attr", "chart", "compare", "count", "exist", "multi", "needle", "ocr"} | {
        "photo", "position", "prior", "relation",
    }  # fmt: skip
    assert sum(file.stat().st_size for file in out.glob("*.safetensors")) <= 12_000_000
    model = AutoModelForImageTextToText.from_pretrained(out)
    assert len(model.model.language_model.layers) == 8
    assert AutoProcessor.from_pretrained(out).tokenizer.unk_token == "<unk>"
