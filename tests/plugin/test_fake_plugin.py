"""A package that is installed beside eosdsl adds a score, a behaviour, a rule and a model family, by the same doors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from eosdsl.models.find import find_model

PLUGIN = Path(__file__).parent / "eos-fake-plugin"
SPEC = """\
operator plugged for fake_vlm
at layer 2: retain 50% by spread(factor: 2) + norm(hidden) via halve(similarity: cosine(hidden)) with positions: mean
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the plugin installed in it, as pip does; nothing is downloaded."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--target", str(target)]
    source = tmp_path_factory.mktemp("source") / "plugin"
    _copy(PLUGIN, source)
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True, timeout=300)
    return target


def _copy(source: Path, target: Path) -> None:
    """Building leaves files behind: not in the checkout."""
    for file in source.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A folder with a spec that uses the plugin, and a model of its family."""
    (tmp_path / "plugged.eos").write_text(SPEC)
    (tmp_path / "model").mkdir()
    config = {**find_model("llava-1.5-7b").config, "model_type": "fake_vlm"}
    (tmp_path / "model" / "config.json").write_text(json.dumps(config))
    return tmp_path


def run(site: Path, desk: Path, *arguments: str, program: str | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program or "from eosdsl.cli.main import main; main()", *arguments]
    env = {**os.environ, "PYTHONPATH": str(site), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, cwd=desk, env=env, timeout=300)


def test_a_spec_with_its_operators_is_checked_and_planned(site: Path, desk: Path) -> None:
    checked = run(site, desk, "check", "plugged.eos", "--model", "model")
    assert (checked.returncode, checked.stderr) == (0, "")
    planned = run(site, desk, "plan", "plugged.eos", "--model", "model", "--output-format", "json")
    plan = json.loads(planned.stdout)
    assert plan["family"] == "fake_vlm"
    assert plan["tokens_per_layer"] == [576] * 2 + [288] * 30
    assert plan["macs"]["reducers"] >= 2 * 576 * 4096  # what Spread.macs says, and the merging


def test_without_it_the_names_are_unknown(desk: Path) -> None:
    checked = run(Path("nowhere"), desk, "check", "plugged.eos", "--output-format", "concise")
    assert checked.returncode == 1
    assert "no score named `spread`" in checked.stdout


def test_its_rule_reports_and_its_pages_are_explained(site: Path, desk: Path) -> None:
    (desk / "few.eos").write_text("at layer 2: retain 4 tokens by norm(hidden)\n")
    checked = run(site, desk, "check", "few.eos", "--output-format", "concise")
    assert checked.returncode == 1
    assert "few.eos:1:20: warning[W0901] very few tokens" in checked.stdout
    allowed = "at layer 2: retain 4 tokens by norm(hidden)  # eos: allow(W0901)\n"
    (desk / "few.eos").write_text(allowed)
    assert run(site, desk, "check", "few.eos").returncode == 0
    assert run(site, desk, "explain", "W0901").stdout.startswith("# W0901: A budget of very few tokens")
    assert "`factor`: what the deviation is multiplied by" in run(site, desk, "explain", "spread").stdout
    assert "(behaviour)" in run(site, desk, "explain", "halve").stdout


def test_its_mistakes_are_found_like_those_of_the_built_in_ones(site: Path, desk: Path) -> None:
    (desk / "wrong.eos").write_text("at layer 2: retain 50% by spred(factor: 2) via halve(similarity: 3)\n")
    found = run(site, desk, "check", "wrong.eos")
    assert "did you mean `spread`?" in found.stdout
    assert "E0222" in found.stdout


def test_its_tensors_flow(site: Path, desk: Path) -> None:
    program = """
import torch, eosdsl
torch.manual_seed(0)
hidden = torch.randn(1, 8, 4)
reduced = eosdsl.apply_step("retain 50% by spread via halve", hidden)
best = hidden.std(dim=-1).topk(4).indices.sort().values
assert reduced.anchors.tolist() == best.tolist()
given = [i for i in range(8) if i not in best[0].tolist()]
assert reduced.sizes.sum().item() == 4 + 0.5 * len(given)
print("ok")
"""
    done = run(site, desk, program=program)
    assert done.stdout.strip() == "ok", done.stderr
