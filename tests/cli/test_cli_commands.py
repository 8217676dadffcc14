"""fmt, explain, ir, models, new, and what holds for every command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cli_runs import invoke

from eosdsl.cli.main import COMMANDS
from eosdsl.diagnostic_catalogue import catalogue
from eosdsl.ir.schema import schema_text
from eosdsl.ir.serde import load_program
from eosdsl.parsing import parse

UGLY = "# FastV\nat layer 2:retain 50%   by attention( query:last )\n"
NEAT = "# FastV\nat layer 2: retain 50% by attention(query: last)\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_examples(name: str) -> None:
    run = invoke(name, "--help")
    assert run.code == 0
    assert "Examples:" in run.out
    assert f"eosdsl {name}" in run.out.split("Examples:")[1]
    assert "--verbose" in run.out
    assert "--quiet" in run.out
    assert "--color" in run.out


def test_help_lists_every_command_with_a_line() -> None:
    out = invoke("--help").out
    for name, (_, summary) in COMMANDS.items():
        assert name in out
        assert summary.split()[0] in out


def test_no_command_is_help() -> None:
    assert "Commands:" in invoke().out + invoke().err


def test_a_misspelt_command_is_a_usage_error() -> None:
    run = invoke("chekc")
    assert run.code == 2
    assert "Did you mean 'check'?" in run.err


def test_version() -> None:
    assert invoke("--version").out.startswith("eosdsl 0.")


def test_fmt_writes_in_place_and_keeps_the_mode(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_text(UGLY)
    spec.chmod(0o640)
    assert invoke("fmt", str(spec)).code == 0
    assert spec.read_text() == NEAT
    assert spec.stat().st_mode & 0o777 == 0o640
    assert "unchanged" in invoke("fmt", str(spec)).err


def test_fmt_follows_links_and_keeps_line_ends(tmp_path: Path) -> None:
    spec, link = tmp_path / "a.eos", tmp_path / "b.eos"
    spec.write_bytes(UGLY.replace("\n", "\r\n").encode())
    link.symlink_to(spec)
    invoke("fmt", str(link))
    assert link.is_symlink()
    assert spec.read_bytes() == NEAT.replace("\n", "\r\n").encode()


def test_fmt_check_and_diff_write_nothing(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_text(UGLY)
    check = invoke("fmt", "--check", str(spec))
    diff = invoke("fmt", "--diff", str(spec))
    assert (check.code, diff.code) == (1, 1)
    assert check.out == f"would reformat {spec}\n"
    assert diff.out.splitlines()[-2:] == ["-" + UGLY.splitlines()[1], "+" + NEAT.splitlines()[1]]
    assert spec.read_text() == UGLY
    spec.write_text(NEAT)
    assert invoke("fmt", "--check", str(spec)).code == 0
    assert invoke("fmt", "--diff", str(spec)).out == ""


def test_fmt_leaves_a_broken_file_and_formats_the_others(tmp_path: Path) -> None:
    broken, ugly = tmp_path / "broken.eos", tmp_path / "ugly.eos"
    broken.write_text("at layer 2: retian 50%\n")
    ugly.write_text(UGLY)
    run = invoke("fmt", str(tmp_path))
    assert run.code == 1
    assert "broken.eos:1:13" in run.err
    assert broken.read_text() == "at layer 2: retian 50%\n"
    assert ugly.read_text() == NEAT


def test_fmt_is_a_filter_for_standard_input() -> None:
    run = invoke("fmt", "-", "--stdin-filename", "never/written.eos", stdin=UGLY)
    assert (run.code, run.out) == (0, NEAT)
    assert not Path("never").exists()


def test_explain_a_code_in_either_case() -> None:
    assert invoke("explain", "E0601").out == invoke("explain", "e0601").out
    assert invoke("explain", "E0601").out.startswith("# E0601: ")


def test_explain_an_operator_and_its_parameters() -> None:
    out = invoke("explain", "attention").out
    assert "# attention (score)" in out
    assert "`query`" in out


def test_explain_a_name_of_two_kinds_gives_both_pages() -> None:
    assert "(score)" in invoke("explain", "random").out


def test_explain_nothing_lists_the_codes() -> None:
    lines = invoke("explain").out.splitlines()
    assert [line.split()[0] for line in lines] == list(catalogue())
    rows = json.loads(invoke("explain", "--output-format", "json").out)["codes"]
    assert [row["code"] for row in rows] == list(catalogue())


def test_explain_something_unknown_suggests() -> None:
    run = invoke("explain", "merg")
    assert run.code == 2
    assert "did you mean merge?" in run.err
    assert "E0615" in run.err


def test_explain_a_spec_in_plain_english() -> None:
    out = invoke("explain", "-", stdin="operator fastv for llava\n" + NEAT).out
    assert "On entry to decoder layer 2: keep 50% of the visual tokens that an image started with" in out
    assert "attention from the prompt's last row" in out
    assert "the rest is dropped" in out


def test_ir_is_the_program(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_text(NEAT)
    run = invoke("ir", str(spec))
    assert load_program(run.out) == parse(spec)
    assert "span" not in run.out
    assert '"line": 2' in invoke("ir", "--spans", str(spec)).out


def test_ir_prints_its_schema() -> None:
    assert invoke("ir", "--schema").out == schema_text()


def test_ir_without_a_spec_is_a_usage_error() -> None:
    assert invoke("ir").code == 2


def test_models_is_a_table_of_names_that_work() -> None:
    listed, _, remarks = invoke("models").out.partition("\n\n")
    head, *rows = listed.splitlines()
    assert head.startswith("model")
    assert "no reductions in the vision tower or at its output: the Pixtral tower packs all images" in remarks
    assert "gemma3-4b" in remarks and "a token is 4 by 4 patches in the vision tower too" in remarks
    names = [row.split()[0] for row in rows]
    assert "llava-1.5-7b" in names
    document = json.loads(invoke("models", "--output-format", "json").out)
    assert [row["name"] for row in document["models"]] == names
    assert invoke("models", "llava").out.splitlines()[1].startswith("llava-1.5-7b")
    assert invoke("models", "lava").code == 2


@pytest.mark.parametrize("arguments", [(), ("--space",), ("--for", "llava"), ("--for", "qwen2_5_vl")])
def test_new_writes_a_spec_that_checks_and_is_formatted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert invoke("new", "mine", *arguments).code == 0
    assert invoke("check", "mine.eos").code == 0
    assert invoke("fmt", "--check", "mine.eos").code == 0
    assert (tmp_path / "mine.eos").read_text().startswith("# ")


def test_new_keeps_its_promise_on_the_usual_model(tmp_path: Path) -> None:
    invoke("new", "mine", "--in", str(tmp_path))
    assert invoke("check", str(tmp_path / "mine.eos"), "--model", "llava").code == 0


def test_new_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "mine.eos").write_text("precious")
    run = invoke("new", "mine", "--in", str(tmp_path))
    assert run.code == 2
    assert "E0613" in run.err
    assert (tmp_path / "mine.eos").read_text() == "precious"


@pytest.mark.parametrize("name", ["2nd", "my-method", "a b", "../escape", "", "naïve"])
def test_new_refuses_what_is_not_a_name(tmp_path: Path, name: str) -> None:
    run = invoke("new", name, "--in", str(tmp_path))
    assert run.code == 2
    assert "E0614" in run.err
    assert not list(tmp_path.iterdir())
