"""`python -m eosdsl.demo`, with a tiny model in the small one's place: all stages, one table, two pictures."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from eosdsl.demo.__main__ import demo, main
from eosdsl.demo.photographs import photograph
from eosdsl.demo.stages import prepare_model


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    return Path("demo")


def test_every_stage_shows_itself(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    demo(folder, size="tiny")
    shown = capsys.readouterr().out
    assert re.search(r"what does this picture show \? +flower +flower +flower +flower", shown)
    assert "divprune" in shown
    for wanted in ("Building", "fastv.eos", "one_line.eos", "check:", "plan:", "compile:", "visual tokens held by"):
        assert wanted in shown
    for row in ("layers 0..1", "mean over layers", "FLOPs of prefill", "prefill, measured", "KV cache after it"):
        assert shown.count(row) == 1, f"{row} belongs into one table"
    assert "\x1b" not in shown
    fastv, one_line = (Image.open(folder / f"{name}.png") for name in ("fastv", "one_line"))
    assert one_line.height > fastv.height  # seven steps against one
    for name in ("fastv", "one_line"):
        assert {"operator.eos", "plan.json", "graph.py"} <= {file.name for file in (folder / name).iterdir()}

    sheet = Image.open(folder / "answers.png")
    assert sheet.width > 1000 and sheet.height > 1300  # five rows of four panels
    assert len(list((folder / "pictures").iterdir())) == 5

    weights = folder / "small-llava" / "model.safetensors"
    written = weights.stat().st_mtime_ns
    prepare_model(folder / "small-llava", "tiny")
    assert weights.stat().st_mtime_ns == written, "the model was built twice"
    assert "Building" not in capsys.readouterr().out


def test_a_place_that_cannot_be_written(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.write_text("in the way")
    monkeypatch.setattr(sys, "argv", ["demo"])
    assert main() == 2
    assert capsys.readouterr().err.startswith("error[E0603]")
    assert folder.read_text() == "in the way"


def test_photographs_are_real_and_need_no_network() -> None:
    for name in ("chelsea", "astronaut", "coffee"):
        picture = photograph(name)
        assert picture.mode == "RGB" and min(picture.size) >= 300


@pytest.mark.slow
def test_the_demonstration_at_its_full_size(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "eosdsl.demo", str(tmp_path / "demo")], capture_output=True, text=True, timeout=280
    )
    assert done.returncode == 0, done.stderr
    assert "576" in done.stdout and "296.5" in done.stdout
