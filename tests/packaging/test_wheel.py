"""The wheel: built, looked into, installed into a fresh environment, and used from a folder that is no checkout."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    built = subprocess.run(command, capture_output=True, text=True, cwd=out)
    assert built.returncode == 0, built.stdout + built.stderr
    (file,) = out.glob("eosdsl-*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of a new environment with the wheel in it.

    Its dependencies are lent by the environment that runs the tests, through a .pth file: PyTorch is too large to be
    installed for a test. Lent folders come after the environment's own, and their own .pth files (the editable install
    of this checkout among them) are not followed.
    """
    home = tmp_path_factory.mktemp("fresh") / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home)], check=True)
    python = home / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", str(python), "install", "-qq", "--no-index", "--no-deps", str(wheel)],
        check=True,
    )
    (own,) = home.glob("lib/python*/site-packages")
    (own / "lent.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}) + "\n")
    return home / "bin"


def run(installed: Path, cwd: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the fresh environment, with nothing of this one in the way."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "PYTHONHOME")}
    program = str(installed / command[0])
    return subprocess.run([program, *command[1:]], capture_output=True, text=True, cwd=cwd, env=environment)


def names_below(folder: str, ending: str) -> set[str]:
    return {file.relative_to(ROOT).as_posix() for file in (ROOT / folder).rglob(f"*{ending}")}


def test_grammar_specs_and_data_are_inside(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    shipped = names_below("grammar", ".lark") | names_below("specs", ".eos")
    assert {"grammar/eos.lark", "specs/methods/fastv.eos"} <= shipped
    assert {f"eosdsl/_resources/{name}" for name in shipped} <= inside
    assert names_below("eosdsl", ".py") | names_below("eosdsl", ".json") <= inside
    assert not [name for name in inside if name.startswith(("tests/", "docs/"))]


def test_a_fresh_environment_plans_and_compiles(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "python", "-c", "import eosdsl; print(eosdsl.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.parent), where.stdout + where.stderr
    asked = "from eosdsl.resources import resource; print(resource('specs') / 'methods' / 'fastv.eos')"
    spec = run(installed, tmp_path, "python", "-c", asked).stdout.strip()
    assert Path(spec).is_relative_to(installed.parent)

    planned = run(installed, tmp_path, "eosdsl", "plan", spec, "--model", "llava")
    assert planned.returncode == 0, planned.stderr
    assert "288" in planned.stdout

    compiled = run(installed, tmp_path, "eosdsl", "compile", spec, "--model", "llava", "--out", "fastv")
    assert compiled.returncode == 0, compiled.stderr
    assert {"operator.eos", "eos_config.json", "plan.json", "graph.py"} <= {
        f.name for f in (tmp_path / "fastv").iterdir()
    }
    assert json.loads((tmp_path / "fastv" / "plan.json").read_text())
    assert [file.name for file in tmp_path.iterdir()] == ["fastv"]


def test_version_is_the_packages(installed: Path, tmp_path: Path) -> None:
    said = run(installed, tmp_path, "eosdsl", "--version")
    assert said.stdout.split() == ["eosdsl", "0.1.0"], said.stderr
