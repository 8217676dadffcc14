"""A package from outside, installed and used: in the text its names look like any other.

Everything runs in processes of its own, whose path has the folder that pip installed into: the environment of the
tests does not change.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent / "fake_plugin"
SPEC = """operator outside for pocket
at layer 2: retain 24 tokens by contrast(power: 2) + norm(hidden) via halve(similarity: cosine(hidden))
at layer 3: retain 16 tokens pick ends
"""


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pip put the plugin."""
    home = tmp_path_factory.mktemp("plugin")
    shutil.copytree(SOURCE, home / "source")
    flags = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--target", str(home / "packages")]
    command = [sys.executable, "-m", "pip", "install", *flags, str(home / "source")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return home / "packages"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    file = tmp_path / "outside.eos"
    file.write_text(SPEC, encoding="utf-8")
    return file


def python(code: str, packages: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A program in a process that sees the plugin, or does not."""
    environment = {**os.environ, "NO_COLOR": "1", "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    if packages is not None:
        environment["PYTHONPATH"] = str(packages)
    return subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, env=environment)


def eosdsl(packages: Path | None, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line."""
    done = python("from eosdsl.cli.start import main; main()", packages, *arguments)
    assert "Traceback" not in done.stderr
    return done


def test_check_knows_its_operators_its_model_and_its_rule(packages: Path, spec: Path) -> None:
    clean = eosdsl(packages, "check", str(spec), "--model", "pocket")
    assert clean.returncode == 0, clean.stdout + clean.stderr
    spec.write_text(SPEC.replace("24 tokens", "20 tokens"), encoding="utf-8")
    found = eosdsl(packages, "check", str(spec), "--model", "pocket")
    assert found.returncode == 1
    assert "W9901" in found.stdout
    spec.write_text(SPEC.replace("power: 2", "power: 0"), encoding="utf-8")
    assert "E0223" in eosdsl(packages, "check", str(spec)).stdout
    spec.write_text(SPEC.replace("contrast", "contrst"), encoding="utf-8")
    assert "did you mean `contrast`" in eosdsl(packages, "check", str(spec)).stdout


def test_its_warnings_are_allowed_like_others(packages: Path, spec: Path) -> None:
    spec.write_text(SPEC.replace("pick ends", "pick ends   # fine").replace("16", "12"), encoding="utf-8")
    assert eosdsl(packages, "check", str(spec)).returncode == 1
    spec.write_text(SPEC.replace("pick ends", "pick ends   # eos: allow(W9901)").replace("16", "12"), encoding="utf-8")
    assert eosdsl(packages, "check", str(spec)).returncode == 0


def test_its_family_takes_folders_of_models(packages: Path, spec: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    config = json.loads((SOURCE / "eos_fake_plugin" / "pocket.json").read_text(encoding="utf-8"))
    config["text_config"]["num_hidden_layers"] = 6
    (tmp_path / "model" / "config.json").write_text(json.dumps(config), encoding="utf-8")
    done = eosdsl(packages, "plan", str(spec), "--model", str(tmp_path / "model"), "--output-format", "json")
    assert json.loads(done.stdout)["tokens_per_layer"] == [64, 64, 24, 16, 16, 16]


def test_its_fixes_are_applied(packages: Path, spec: Path) -> None:
    spec.write_text(SPEC.replace("24 tokens", "20 tokens"), encoding="utf-8")
    fixed = eosdsl(packages, "check", "--fix", "--unsafe-fixes", str(spec))
    assert fixed.returncode == 0, fixed.stdout + fixed.stderr
    assert spec.read_text(encoding="utf-8") == SPEC


def test_plan_counts_on_its_model(packages: Path, spec: Path) -> None:
    done = eosdsl(packages, "plan", str(spec), "--model", "pocket-vl", "--output-format", "json")
    assert done.returncode == 0, done.stdout + done.stderr
    plan = json.loads(done.stdout)
    assert plan["family"] == "pocket"
    assert plan["visual_tokens"] == 64
    assert plan["tokens_per_layer"] == [64, 64, 24, 16]
    without = SPEC.replace("contrast(power: 2) + ", "")
    spec.write_text(without, encoding="utf-8")
    cheaper = json.loads(eosdsl(packages, "plan", str(spec), "--model", "pocket", "--output-format", "json").stdout)
    assert plan["macs"]["reducers"] - cheaper["macs"]["reducers"] == 2 * 64 * 32, "the score says what it costs"


@pytest.mark.parametrize(
    ("what", "shown"),
    [
        ("contrast", ["# contrast (score)", "`power`", "larger favours outliers"]),
        ("ends", ["# ends (pick)"]),
        ("halve", ["# halve (behaviour)", "`similarity`"]),
        ("W9901", ["no multiple of eight", "## Why"]),
    ],
)
def test_explain_has_its_pages(packages: Path, what: str, shown: list[str]) -> None:
    done = eosdsl(packages, "explain", what)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [text for text in shown if text not in done.stdout] == []


def test_models_are_listed(packages: Path) -> None:
    assert "pocket-vl" in eosdsl(packages, "models").stdout


def test_it_formats_and_describes_like_any_other(packages: Path, spec: Path) -> None:
    assert eosdsl(packages, "fmt", "--check", str(spec)).returncode == 0
    assert "contrast" in eosdsl(packages, "explain", str(spec)).stdout


STEP = """
import torch, eosdsl
hidden = torch.randn(2, 12, 6, generator=torch.Generator().manual_seed(0))
done = eosdsl.apply_step("retain 5 tokens by contrast pick ends via halve(similarity: cosine(hidden))", hidden)
assert done.anchors.tolist() == [[0, 1, 2, 10, 11]] * 2, done.anchors
unit = torch.nn.functional.normalize(hidden, dim=-1)
for image in range(2):
    anchors = [0, 1, 2, 10, 11]
    rows, sizes = [hidden[image, a] for a in anchors], [1.0] * 5
    for token in range(3, 10):
        nearest = max(range(5), key=lambda i: float(unit[image, anchors[i]] @ unit[image, token]))
        rows[nearest] = rows[nearest] + 0.5 * hidden[image, token]
        sizes[nearest] += 0.5
    expected = torch.stack([row / size for row, size in zip(rows, sizes)])
    torch.testing.assert_close(done.hidden[image], expected)
    torch.testing.assert_close(done.sizes[image], torch.tensor(sizes))

best = eosdsl.apply_step("retain 3 tokens by contrast via prune", hidden)
far = (hidden - hidden.mean(dim=1, keepdim=True)).norm(dim=-1).topk(3).indices.sort().values
assert torch.equal(best.anchors, far)
print("agreed")
"""


def test_apply_step_runs_its_operators(packages: Path) -> None:
    done = python(STEP, packages)
    assert done.stdout.strip() == "agreed", done.stderr


EDITOR = """
from eosdsl.lsp.completion import completion
from eosdsl.lsp.document import Document
from eosdsl.lsp.hover import hover
from eosdsl.lsp.inlay_hints import inlay_hints
from eosdsl.highlight.lexer import EosLexer
text = "operator x for pocket\\nat layer 2: retain 24 tokens by contrast"
labels = {item.label for item in completion(Document(text), len(text))}
assert "contrast" in labels, labels
assert "distance" not in {item.label for item in completion(Document(text + "("), len(text) + 1)}
assert {item.label for item in completion(Document(text + "("), len(text) + 1)} == {"power"}
assert "Distance of a token" in hover(Document(text), len(text) - 1).text
assert [hint.label for hint in inlay_hints(Document(text))] == ["64 → 24 tokens"]
kinds = {value: str(kind) for kind, value in EosLexer().get_tokens(text)}
assert kinds["contrast"] == "Token.Name.Builtin", kinds
print("agreed")
"""


def test_editors_propose_and_colour_them(packages: Path) -> None:
    done = python(EDITOR, packages)
    assert done.stdout.strip() == "agreed", done.stderr


def test_without_the_package_its_names_are_unknown(spec: Path) -> None:
    found = eosdsl(None, "check", str(spec))
    assert found.returncode == 1
    assert "E0220" in found.stdout
    assert "W9901" not in eosdsl(None, "explain").stdout


BREAKAGES = {
    "eos_fake_plugin/contrast.py": ("E0227", "eos-fake-plugin"),
    "eos_fake_plugin/round_counts.py": ("E0612", "round-counts"),
    "eos_fake_plugin/pocket.py": ("E0648", "eos-fake-plugin"),
}


@pytest.mark.parametrize("module", BREAKAGES)
def test_a_package_that_does_not_load_is_named(module: str, packages: Path, spec: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(packages, broken)
    (broken / module).write_text("raise RuntimeError('out of order')\n", encoding="utf-8")
    done = eosdsl(broken, "check", str(spec), "--model", "pocket")
    code, named = BREAKAGES[module]
    output = done.stdout + done.stderr
    assert done.returncode in (1, 2)
    assert code in output
    assert named in output
    assert "out of order" in output


def test_rules_that_fail_are_findings_not_tracebacks(packages: Path, spec: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(packages, broken)
    module = broken / "eos_fake_plugin" / "round_counts.py"
    text = module.read_text(encoding="utf-8").replace("for quantity in", "1 / 0\n        for quantity in")
    module.write_text(text, encoding="utf-8")
    done = eosdsl(broken, "check", str(spec))
    assert "E0612" in done.stdout + done.stderr
    assert "ZeroDivisionError" in done.stdout + done.stderr
