"""The versions of transformers that are taken: stated alike everywhere, and any other is refused with the remedy."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import transformers
import versions
from packaging.requirements import Requirement
from packaging.version import Version
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.versions import BELOW, NEWEST, OLDEST

ROOT = Path(__file__).resolve().parents[2]
SPEC = "at layer 2: retain 50% by norm(hidden)"


def declared() -> Requirement:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return next(one for one in map(Requirement, project["dependencies"]) if one.name == "transformers")


def test_pyproject_code_and_docs_state_the_same_range() -> None:
    specifier = declared().specifier
    assert {str(one) for one in specifier} == {f">={OLDEST.removesuffix('.0')}", f"<{BELOW}"}
    assert all(specifier.contains(one) for one in (OLDEST, NEWEST))
    page = (ROOT / "docs" / "models.md").read_text("utf-8")
    assert f"**{OLDEST}**" in page and f"**{NEWEST}**" in page


def test_what_is_installed_lies_between() -> None:
    assert Version(OLDEST) <= Version(transformers.__version__) <= Version(NEWEST)


@pytest.mark.parametrize("version", ["4.57.6", "5.17.0", "6.0.0", "6.0.0.dev0"])
def test_another_version_is_one_message(version: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("transformers.__version__", version)
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(SPEC, "llava")
    (found,) = caught.value.diagnostics
    assert found.code == "E0456" and f"transformers {version} is not supported" in found.message
    assert found.helps == (f'pip install "transformers>={OLDEST},<{BELOW}"',)
    spec = tmp_path / "half.eos"
    spec.write_text(SPEC)
    said = CliRunner().invoke(app, ["compile", str(spec), "--model", "llava", "--out", str(tmp_path / "out")])
    assert said.exit_code == 1 and "E0456" in said.output and not (tmp_path / "out").exists()
    assert eosdsl.plan(SPEC, "llava").tokens_per_layer[2] == 288, "planning needs no transformers"


@pytest.mark.parametrize("version", [OLDEST, "5.18.1", "5.99.0", "5.20.0.dev0", "5.20.0rc1"])
def test_later_ones_are_taken(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("transformers.__version__", version)
    eosdsl.compile(SPEC, "llava").detach()


def test_a_name_that_another_version_lacks_is_that_message_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Modules are imported before anything is compiled, and may fail there."""
    from eosdsl.cli.choices import ColorMode
    from eosdsl.cli.failures import report_failure

    missing = ImportError("cannot import name 'capture_outputs'", name="transformers.utils.output_capturing")
    assert report_failure(missing, ColorMode.NEVER, verbose=False) == 2
    monkeypatch.setattr("transformers.__version__", "4.57.6")
    assert report_failure(missing, ColorMode.NEVER, verbose=False) == 1


def test_the_matrix_counts_what_pytest_reports() -> None:
    junit = (
        '<testsuites><testsuite tests="7" failures="1" errors="1" skipped="2"/>'
        '<testsuite tests="1" failures="0" errors="0" skipped="0"/></testsuites>'
    )
    assert versions.counted(junit) == versions.Outcome(passed=4, failed=2, skipped=2)
    assert str(versions.Outcome(4, 2, 2)) == "4 pass, 2 FAIL, 2 skipped"
    assert "FAIL" in str(versions.Outcome(0, 0, 0)), "nothing that ran is no success"


def test_the_matrix_runs_tests_that_are_there() -> None:
    for suite in versions.SUITES.values():
        assert all((ROOT / part).exists() for part in suite if part.startswith("tests/"))
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert re.search(r"^versions: .*\n\t.*tests/packaging/versions\.py", makefile, re.MULTILINE)
