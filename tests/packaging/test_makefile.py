"""Set-up is done once, again when its inputs change, and again after it failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Stands in for Python: makes "environments" with itself in them, and notes each installation.
PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; exit; fi
if [ "$1 $2 $3" = "-m pip install" ]; then echo installed >> log; exit "${PIP_FAILS:-0}"; fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def make(checkout: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", f"PYTHON={checkout / 'python'}", *arguments]
    return subprocess.run(command, cwd=checkout, env=clean | environment, capture_output=True, text=True)


def installations(checkout: Path) -> int:
    log = checkout / "log"
    return len(log.read_text().splitlines()) if log.exists() else 0


def touch_later(file: Path) -> None:
    later = file.stat().st_mtime + 100
    os.utime(file, (later, later))


def test_once_and_again_when_constraints_change(checkout: Path) -> None:
    assert make(checkout, "setup").returncode == 0
    assert make(checkout, "setup").returncode == 0
    assert installations(checkout) == 1
    touch_later(checkout / "constraints.txt")
    assert make(checkout, "setup").returncode == 0
    assert installations(checkout) == 2


def test_a_failed_installation_is_tried_again(checkout: Path) -> None:
    assert make(checkout, "setup", PIP_FAILS="1").returncode != 0
    assert make(checkout, "setup").returncode == 0
    assert installations(checkout) == 2


def test_without_a_python_it_says_so(checkout: Path) -> None:
    failed = make(checkout, "setup", "PYTHON=")
    assert failed.returncode == 2
    assert "Python >= 3.11" in failed.stderr


def test_help_names_what_the_readme_promises(checkout: Path) -> None:
    listed = make(checkout).stdout
    for target in ("setup", "demo", "test", "lint", "golden", "bench"):
        assert f"make {target}" in listed
    assert installations(checkout) == 0
