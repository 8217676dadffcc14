"""`eosdsl check`: files, folders, standard input; exit codes; formats; fixes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runs import invoke

GOOD = "at layer 2: retain 50% by attention(query: last)\n"
BAD = "at layer 2: retian 50%\n"
WARNS = "at layer 2: retain 50% by attention(query: last) + 0 * norm(hidden)\n"
REMARKS = "at layer 2: retain 50% by attention(query: all)\n"
MENDABLE = "at layer 2: retain 50% by attention(query: last) pick uniform\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"good": GOOD, "bad": BAD, "warns": WARNS}.items():
        (tmp_path / f"{name}.eos").write_text(text)
    (tmp_path / "notes.txt").write_text("not a spec")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "hidden.eos").write_text(BAD)
    return tmp_path


@pytest.mark.parametrize(("text", "code"), [(GOOD, 0), (REMARKS, 0), (WARNS, 1), (BAD, 1), ("", 0), ("# nothing\n", 0)])
def test_exit_codes(tmp_path: Path, text: str, code: int) -> None:
    spec = tmp_path / "a.eos"
    spec.write_text(text)
    if not text.strip() or text.startswith("#"):
        code = invoke("check", "-", stdin=text).code  # whatever an empty spec is, a file is the same
    assert invoke("check", str(spec)).code == code


def test_what_is_found_is_printed_with_its_place(folder: Path) -> None:
    run = invoke("check", str(folder / "warns.eos"))
    assert "warning[W0381]" in run.out
    assert f"--> {folder / 'warns.eos'}:1:" in run.out
    assert run.out.endswith("1 warning in 1 file.\n")
    assert run.err == ""


def test_a_folder_stands_for_its_specs(folder: Path) -> None:
    run = invoke("check", str(folder), "--output-format", "concise")
    assert run.code == 1
    assert {line.split(":")[0].rpartition("/")[2] for line in run.out.splitlines()} == {"bad.eos", "warns.eos"}


def test_a_file_that_is_named_twice_is_checked_once(folder: Path) -> None:
    spec = str(folder / "warns.eos")
    assert invoke("check", spec, spec, "--output-format", "concise").out.count("W0381") == 1


def test_an_empty_folder_has_no_files(tmp_path: Path) -> None:
    run = invoke("check", str(tmp_path))
    assert run.code == 0
    assert "0 files" in run.out


def test_one_unreadable_file_does_not_hide_the_others(folder: Path) -> None:
    run = invoke("check", str(folder / "gone.eos"), str(folder / "warns.eos"))
    assert run.code == 2
    assert "E0601" in run.out
    assert "W0381" in run.out


def test_standard_input_has_a_name() -> None:
    assert "--> <stdin>:1:" in invoke("check", "-", stdin=WARNS).out
    assert "--> my/spec.eos:1:" in invoke("check", "-", "--stdin-filename", "my/spec.eos", stdin=WARNS).out


def test_quiet_prints_errors_only(folder: Path) -> None:
    assert invoke("check", "-q", str(folder / "warns.eos")).out == ""
    assert "error[" in invoke("check", "-q", str(folder / "bad.eos")).out


def test_formats_for_programs_are_whole_documents(folder: Path) -> None:
    document = json.loads(invoke("check", str(folder), "--output-format", "json").out)
    assert {d["file"] for d in document["diagnostics"]} == {str(folder / "bad.eos"), str(folder / "warns.eos")}
    assert json.loads(invoke("check", str(folder), "--output-format", "sarif").out)["version"] == "2.1.0"
    assert json.loads(invoke("check", str(folder / "good.eos"), "--output-format", "json").out)["diagnostics"] == []
    assert invoke("check", str(folder), "--output-format", "github").out.startswith("::error ")


def test_a_model_lets_the_flow_of_tokens_be_checked(tmp_path: Path) -> None:
    spec = tmp_path / "far.eos"
    spec.write_text("at layer 40: retain 50% by norm(hidden)\n")
    assert invoke("check", str(spec)).code == 0
    run = invoke("check", str(spec), "--model", "llava-1.5-7b")
    assert run.code == 1
    assert "llava-1.5-7b has decoder layers 0..31" in run.out


def test_an_expectation_that_does_not_hold_is_an_error(tmp_path: Path) -> None:
    spec = tmp_path / "promise.eos"
    spec.write_text(GOOD + "expect tokens(mean) <= 64\n")
    assert invoke("check", str(spec), "--model", "llava").code == 1
    assert "E0330" in invoke("check", str(spec), "--model", "llava").out


def test_an_unknown_model_could_not_run() -> None:
    run = invoke("check", "-", "--model", "lava-1.5-7b", stdin=GOOD)
    assert run.code == 2
    assert "llava-1.5-7b" in run.out


def test_params_are_set_from_outside() -> None:
    spec = "param share = 50%\nat layer 2: retain share by norm(hidden)\n"
    assert invoke("check", "-", stdin=spec).code == 0
    assert invoke("check", "-", "--set", "share=100%", stdin=spec).code == 1
    assert "did you mean" in invoke("check", "-", "--set", "shar=100%", stdin=spec).out
    usage = invoke("check", "-", "--set", "share", stdin=spec)
    assert usage.code == 2
    assert "NAME=VALUE" in usage.err


def test_fix_mends_in_place_and_reports_the_rest(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_bytes(MENDABLE.replace("\n", "\r\n").encode())
    run = invoke("check", str(spec), "--fix")
    assert run.code == 0
    assert spec.read_bytes() == b"at layer 2: retain 50% pick uniform\r\n"


def test_diff_shows_and_does_not_write(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_text(MENDABLE)
    run = invoke("check", str(spec), "--diff")
    assert run.code == 1
    assert "-at layer 2: retain 50% by attention(query: last) pick uniform\n" in run.out
    assert "+at layer 2: retain 50% pick uniform\n" in run.out
    assert spec.read_text() == MENDABLE
    spec.write_text(GOOD)
    assert invoke("check", str(spec), "--diff") == invoke("check", str(spec), "--diff", "--fix")
    assert invoke("check", str(spec), "--diff").code == 0


def test_fixes_that_are_guesses_are_asked_for(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    text = "at layer 2: retain 50% by 0.7 * norm(hidden)\n"
    spec.write_text(text)
    assert invoke("check", str(spec), "--fix").code == 1
    assert spec.read_text() == text
    assert invoke("check", str(spec), "--fix", "--unsafe-fixes").code == 0
    assert spec.read_text() == "at layer 2: retain 50% by norm(hidden)\n"


def test_fixed_standard_input_goes_to_standard_output() -> None:
    run = invoke("check", "-", "--fix", "--stdin-filename", "never/written.eos", stdin=MENDABLE)
    assert run.out == "at layer 2: retain 50% pick uniform\n"
    assert "nothing to report" in run.err
    assert not Path("never").exists()


def test_colour_by_choice_and_by_environment() -> None:
    def colored(*arguments: str, **env: str) -> bool:
        clean = {"NO_COLOR": "", "FORCE_COLOR": "", **env}
        return "\x1b[" in invoke("check", "-", *arguments, stdin=WARNS, env=clean).out

    assert not colored()
    assert colored("--color", "always")
    assert colored(FORCE_COLOR="1")
    assert not colored("--color", "never", FORCE_COLOR="1")
    assert not colored(NO_COLOR="1", FORCE_COLOR="1")
    assert colored("--color", "always", NO_COLOR="1")
