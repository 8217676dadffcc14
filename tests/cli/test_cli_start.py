"""The plain check that starts without typer means what typer makes of it, and needs neither typer nor pydantic."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.main import get_command

from eosdsl.cli.checked import Request
from eosdsl.cli.main import app
from eosdsl.cli.start import FLAGS, VALUED, plain_check
from tests.cli.cli_runs import process

FULL_ONLY = {"--fix", "--diff", "--unsafe-fixes", "--watch", "-w", "--set"}

WORDS = st.sampled_from(
    [
        "a.eos", "specs", "-", "", "--", "--mod", "-mllava", "-qv", "-m=llava", "--quiet=1", "--color=always", "text",
        "always", "concise", "--output-format=json", "--model=llava", "llava", "--stdin-filename", "-x", "check",
        *FULL_ONLY, *FLAGS, *VALUED,
    ]
)  # fmt: skip


def typer_s(arguments: list[str]) -> dict[str, Any]:
    """What typer reads from the arguments of `check`. Exits where they are wrong."""
    group: Any = get_command(app)
    command = group.get_command(None, "check")
    with command.make_context("check", list(arguments)) as context:
        return dict(context.params)


@given(st.lists(WORDS, max_size=6))
@settings(max_examples=300, deadline=None)
def test_plain_checks_are_read_as_typer_reads_them(arguments: list[str]) -> None:
    plain = plain_check(["check", *arguments])
    if plain is None:
        return
    full = typer_s(arguments)
    assert not any(full[name] for name in ("fix", "diff", "unsafe_fixes", "watch", "set_"))
    assert plain == Request(
        specs=tuple(full["specs"]),
        model=full["model"],
        settings={},
        allow_outside=full["allow_outside"],
        output_format=full["output_format"],
        stdin_filename=full["stdin_filename"],
        color=full["color"],
        quiet=full["quiet"],
        verbose=full["verbose"],
    )


def test_every_option_is_known_or_left_to_typer() -> None:
    group: Any = get_command(app)
    known = {name for option in group.get_command(None, "check").params for name in option.opts if name[0] == "-"}
    assert known - {"--help"} == {*FLAGS, *VALUED, *FULL_ONLY}


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.eos"],
        ["a.eos", "-q"],
        ["-", "--stdin-filename", "a.eos", "--output-format=json"],
        ["a.eos", "-m", "llava", "--color", "always"],
    ],
)
def test_usual_command_lines_are_plain(arguments: list[str]) -> None:
    assert plain_check(["check", *arguments]) is not None


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["a.eos", "--fix"],
        ["a.eos", "--color", "blue"],
        ["a.eos", "-m"],
        ["a.eos", "--help"],
        ["-m", "a", "-m", "b"],
    ],
)
def test_others_are_typer_s(arguments: list[str]) -> None:
    assert plain_check(["check", *arguments]) is None
    assert plain_check(["fmt", "a.eos"]) is None


@pytest.mark.parametrize(
    "text",
    [
        "at layer 2: retain 50% by attention(query: last) via prune\n",
        "at layer 2: retain 50% pick diverse via merge(weight: mean) with attention_bias: log_size\n",
        "at layr 2: retain 50%\n",
    ],
)
def test_a_check_of_one_line_needs_neither_typer_nor_pydantic(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.eos").write_text(text)
    program = (
        "import sys; sys.argv = ['eosdsl', 'check', 'a.eos']\n"
        "from eosdsl.cli.start import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'typer', 'pydantic', 'lark', 'torch'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=60)
    assert done.stderr == "[]\n"


def test_failures_inside_a_plain_check_are_diagnostics(tmp_path: Path) -> None:
    (tmp_path / "a.eos").write_text("at layer 2: retain 50%\n")
    run = process(["check", "a.eos", "--model", "no/such/folder"], cwd=tmp_path)
    assert run.code == 2
    assert "Traceback" not in run.out + run.err
    assert process(["check", "absent.eos"], cwd=tmp_path).code == 2
