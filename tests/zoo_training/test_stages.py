"""Stages: interrupted and resumed is the same as never interrupted; growing keeps what was learned."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from eosdsl.diagnostics import SpecError
from eosdsl.zoo.train import STAGES, train
from eosdsl.zoo.train_loop import Pace, Progress, run_stage
from eosdsl.zoo.train_packs import LEVELS
from eosdsl.zoo.train_reader import Read
from eosdsl.zoo.train_spread import SOURCES, TAKEN, Spread, hold
from eosdsl.zoo.train_stages import Align
from eosdsl.zoo.trainees import Recipe

STEPS = 2
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}
SHORT = Pace(steps=4, cool=2, muon=1e-2, adam=1e-3)


def silent(stage: str, progress: Progress, loss: float) -> None:
    pass


def spread(seed: int, pace: Pace) -> Spread:
    return Spread(seed, pace, Read(seed, pace))


@pytest.mark.parametrize("make", [Read, spread, Align])
def test_resuming_gives_the_weights_of_an_unbroken_run(
    make: Callable[[int, Pace], Read | Spread | Align], tmp_path: Path
) -> None:
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
    with pytest.raises(SpecError, match="join builds on spread and align"):
        train("tiny-llava", tmp_path / "out", silent, stages=("join",))
    with pytest.raises(SpecError, match="join builds on read and align"):
        train("tiny-qwen-vl", tmp_path / "out", silent, stages=("join",))


def test_spread_refuses_to_go_on_with_nothing(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="spread builds on read"):
        train("tiny-llava", tmp_path / "out", silent, stages=("spread",))
    assert not (tmp_path / "out-training").exists()


def test_four_layers_share_what_one_took() -> None:
    """Their values sum to its own, and none of them takes what belongs to another, also where training put it back."""
    read: Any = Read(0, SHORT)
    with torch.no_grad():
        for layer in read.model.model.layers:
            layer.mlp.down_proj.weight.normal_(0, 0.1)
            layer.input_layernorm.weight.uniform_(0.5, 2.0)
    stage: Any = Spread(0, SHORT, read)
    layers = stage.model.model.layers
    shared = [layers[index] for index, source in enumerate(SOURCES) if source == 1]
    assert len(layers) == 8 and len(shared) == len(TAKEN)
    small = read.model.model.layers[1]
    summed = torch.stack([layer.self_attn.v_proj.weight for layer in shared]).sum(dim=0)
    torch.testing.assert_close(summed, small.self_attn.v_proj.weight, atol=1e-4, rtol=1e-4)
    with_mlp = [bool(layer.mlp.down_proj.weight.any()) for layer in layers]
    assert with_mlp == [True, False, False, False, *[True] * 4]
    for layer, source in zip(layers, SOURCES, strict=True):
        assert torch.equal(layer.self_attn.q_proj.weight, read.model.model.layers[source].self_attn.q_proj.weight)
    owned = [name in group for group in TAKEN for name in NAMES]
    assert taken(stage, shared) == owned
    with torch.no_grad():
        for layer in shared:
            layer.self_attn.v_proj.weight.add_(torch.randn_like(layer.self_attn.v_proj.weight))
    assert taken(stage, shared) == [True] * len(owned)
    hold(layers, stage.own)
    assert taken(stage, shared) == owned


NAMES = ("part", "cell", "row", "col", "color", "kind")


def taken(stage: Any, shared: list[Any]) -> list[bool]:
    """For every sharing layer and every sort of code, whether the layer takes it."""
    values = [values_of(layer, getattr(stage.codes, name)) for layer in shared for name in NAMES]
    return [bool(one.abs().max() > 0.1) for one in values]


def values_of(layer: Any, codes: torch.Tensor) -> torch.Tensor:
    """What a layer takes from tokens that are nothing but these codes, short of their normalisation's length."""
    return layer.self_attn.v_proj(layer.input_layernorm.weight * codes.reshape(-1, codes.shape[-1]))


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
    recipe = Recipe(SHORT, SHORT, join, spread=SHORT, questions=2)
    monkeypatch.setattr(eosdsl.zoo.train, "recipe_of", lambda _, seed: replace(recipe, seed=seed))
    out = tmp_path / "tiny"
    for stage in STAGES:
        result = CliRunner().invoke(app, ["zoo", "train", "tiny-llava", "--out", str(out), "--stage", stage, "-q"])
        assert result.exit_code == 0, result.output
    card = json.loads((out / "zoo.json").read_text())
    assert set(card["families"]) == {"attr", "chart", "compare", "count", "exist", "multi", "needle", "ocr"} | {
        "photo", "position", "prior", "relation", "diagram",
    }  # fmt: skip
    assert sum(file.stat().st_size for file in out.glob("*.safetensors")) <= 12_000_000
    model = AutoModelForImageTextToText.from_pretrained(out)
    assert len(model.model.language_model.layers) == 8
    assert AutoProcessor.from_pretrained(out).tokenizer.unk_token == "<unk>"
