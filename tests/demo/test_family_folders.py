"""A stranger's path, for every family: a downloaded folder, `models`, `plan`, `compile` and `run` on it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from family_folders import FOLDERS, NEED_TORCHVISION, save
from PIL import Image
from transformers.utils import is_torchvision_available
from typer.testing import CliRunner

from eosdsl.cli.main import app

SPEC = "operator half\nat layer 2: retain 50% by attention(query: last) via merge\n"
without = pytest.mark.skipif(is_torchvision_available(), reason="torchvision is here")
torchvision = pytest.mark.skipif(not is_torchvision_available(), reason="their processors need torchvision")


@pytest.mark.parametrize("name", [*FOLDERS, *(pytest.param(one, marks=torchvision) for one in NEED_TORCHVISION)])
def test_from_a_folder_to_an_answer(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(name, Path("model"))
    Path("half.eos").write_text(SPEC)
    Image.effect_noise((90, 60), 80).convert("RGB").save("noise.png")
    run = CliRunner().invoke
    told = run(app, ["models", "./model", "--output-format", "json"])
    (known,) = json.loads(told.output)["models"]
    assert known["family"] == ("llava" if name == "pixtral" else name)
    planned = run(app, ["plan", "half.eos", "--model", "./model", "--output-format", "json", "-q"])
    assert planned.exit_code == 0, planned.output
    compiled = run(app, ["compile", "half.eos", "--model", "./model", "--out", "half", "-q"])
    assert compiled.exit_code == 0, compiled.output
    assert {"operator.eos", "plan.json", "graph.py"} <= {path.name for path in Path("half").iterdir()}
    asked = ["run", "half.eos", "--model", "./model", "--image", "noise.png", "--prompt", "What is this?"]
    answered = run(app, [*asked, "--max-new-tokens", "2", "--rounds", "1"])
    assert answered.exit_code == 0, answered.output
    assert "layers 2..3" in answered.output and "50.0%" in answered.output


@without
def test_a_processor_that_lacks_torchvision_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is the package, not the folder."""
    monkeypatch.chdir(tmp_path)
    folder = save("paligemma", Path("model"))
    kept = json.loads((folder / "processor_config.json").read_text())
    (folder / "processor_config.json").write_text(json.dumps({**kept, "processor_class": "PixtralProcessor"}))
    Path("half.eos").write_text(SPEC)
    Image.new("RGB", (20, 20)).save("grey.png")
    asked = ["run", "half.eos", "--model", "./model", "--image", "grey.png", "--prompt", "What is this?"]
    said = CliRunner().invoke(app, asked)
    assert said.exit_code == 2 or said.exit_code == 1
    assert "E0625" in said.output and "pip install torchvision" in said.output
