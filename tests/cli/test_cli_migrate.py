"""`eosdsl migrate`: a spec names its version, and nothing else changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_runs import invoke

from eosdsl.migrating import migrate
from eosdsl.parsing import parse
from eosdsl.source import SourceFile

STEP = "at layer 2: retain 50%\n"


def migrated(text: str) -> str:
    return migrate(SourceFile("<text>", text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (STEP, f"eos 1\n\n{STEP}"),
        (f"# FastV\noperator a\n\n{STEP}", f"# FastV\neos 1\noperator a\n\n{STEP}"),
        (f"# about all\n\n# about this\n{STEP}", f"# about all\n\neos 1\n\n# about this\n{STEP}"),
        (f"\r\noperator a\r\n{STEP}", f"\r\neos 1\r\noperator a\r\n{STEP}"),
        (f"eos 1\n{STEP}", f"eos 1\n{STEP}"),
        (f"{STEP}eos 1", f"{STEP}eos 1"),
    ],
)
def test_the_version_is_named_and_the_rest_stays(text: str, expected: str) -> None:
    assert migrated(text) == expected
    assert migrated(expected) == expected
    # which comment is the program's own is told by what it stands above
    assert parse(expected).model_copy(update={"comment": ()}) == parse(text).model_copy(update={"comment": ()})


def test_a_formatted_spec_stays_formatted(tmp_path: Path) -> None:
    for number, text in enumerate((STEP, f"# FastV\noperator a\n\n{STEP}", f"# all\n\n# this\n{STEP}")):
        spec = tmp_path / f"spec{number}.eos"
        spec.write_text(text)
        invoke("fmt", str(spec))
        assert invoke("migrate", str(spec)).out == f"migrated {spec}\n"
        assert invoke("fmt", "--check", str(spec)).code == 0
        assert invoke("migrate", str(spec)).out == ""


def test_diff_writes_nothing_and_broken_files_are_left(tmp_path: Path) -> None:
    spec, broken = tmp_path / "a.eos", tmp_path / "b.eos"
    spec.write_text(STEP)
    broken.write_text("at layer 2: retian 50%\n")
    run = invoke("migrate", "--diff", str(spec))
    assert run.code == 1
    assert "+eos 1\n" in run.out
    assert spec.read_text() == STEP
    run = invoke("migrate", str(tmp_path))
    assert run.code == 1
    assert "b.eos:1:13" in run.err
    assert spec.read_text() == f"eos 1\n\n{STEP}"
    assert broken.read_text() == "at layer 2: retian 50%\n"


def test_standard_input_is_filtered() -> None:
    assert invoke("migrate", "-", stdin=STEP).out == f"eos 1\n\n{STEP}"
    later = invoke("migrate", "-", stdin=f"eos 9\n{STEP}")
    assert later.code == 1
    assert "E0113" in later.err
