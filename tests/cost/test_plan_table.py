"""The plan as a table, and the command that prints it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.cost.plan import plan
from eosdsl.views.plan_table import amount, plan_table, runs, size

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"
TOWER = "at encoder layers 20, 21 after attention: remove 16 tokens\nat layer 2..5: retain 25%\n"


def invoke(*arguments: str, text: str | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(app, ["plan", *arguments], input=text)
    return done.exit_code, done.stdout, done.stderr


@pytest.mark.parametrize("text", [FASTV, TOWER, "at layer 2: remove all\n", "at layer 2: retain mass 90%\n"])
@pytest.mark.parametrize("width", [72, 80, 100])
@pytest.mark.parametrize("ascii_only", [False, True])
def test_no_line_is_wider_than_the_terminal_and_no_number_is_cut(text: str, width: int, ascii_only: bool) -> None:
    table = plan_table(plan(text, "llava"), width=width, ascii_only=ascii_only)
    assert max(map(len, table.splitlines())) <= width
    assert "…" not in table and "\x1b" not in table
    assert not ascii_only or table.isascii()


def test_layers_are_told_in_runs() -> None:
    table = plan_table(plan(FASTV, "llava"))
    assert re.search(r"layers 0\.\.1\s+576\s+100\.0%", table)
    assert re.search(r"layers 2\.\.31\s+288\s+50\.0%", table)
    assert re.search(r"mean over layers\s+306\s+53\.1%", table)
    assert "encoder layer" not in table
    assert re.search(r"encoder layer 21\s+561", plan_table(plan(TOWER, "llava")))


def test_costs_say_both_macs_and_flops_and_the_bounds() -> None:
    table = plan_table(plan("at input: retain 64 tokens by norm(hidden)\n", "llava"))
    assert re.search(r"decoder, whole prompt\s+4\.252 T\s+833\.2 G\s+1\.666 T\s+19\.6%", table)
    assert re.search(r"visual tokens alone\s+3\.817 T\s+415\.5 G", table)
    assert re.search(r"KV cache after it\s+320\.0 MiB\s+64\.0 MiB\s+20\.0%", table)
    assert "5.10 times as fast in the decoder, 4.30 times with the" in table


def test_colour_changes_nothing_but_colour() -> None:
    made = plan(TOWER, "llava")
    painted = plan_table(made, color=True)
    assert "\x1b[" in painted
    bare = "\n".join(line.rstrip() for line in re.sub(r"\x1b\[[0-9;]*m", "", painted).splitlines())
    assert bare == plan_table(made)


def test_bounds_are_shown_where_counts_depend_on_the_image() -> None:
    table = plan_table(plan("at layer 2: retain mass 90%\nat layer 8: retain 64 tokens\n", "llava"))
    assert re.search(r"layers 2\.\.7\s+1 to 576\s", table)
    assert re.search(r"layers 8\.\.31\s+1 to 64\s", table)
    assert "depend on the image" in table


def test_pieces() -> None:
    assert runs([3, 3, 2, 2, 2, 3]) == [(0, 1, 3), (2, 4, 2), (5, 5, 3)]
    assert [amount(n) for n in (0, 999, 1234, 56_789_000, 4.252e12)] == ["0", "999", "1.234 k", "56.79 M", "4.252 T"]
    assert [size(n) for n in (3, 2048, 5 * 2**20, 3 * 2**30)] == ["3 B", "2.0 KiB", "5.0 MiB", "3.0 GiB"]


def test_the_command(tmp_path: Path) -> None:
    spec = tmp_path / "fastv.eos"
    spec.write_text(FASTV)
    code, out, err = invoke(str(spec), "--model", "llava")
    assert (code, err) == (0, "")
    assert "fastv on llava-1.5-7b" in out and "layers 2..31" in out


def test_json_is_the_plan() -> None:
    code, out, _ = invoke(
        "-", "--model", "llava", "--output-format", "json", "--text-tokens", "7", "--images", "2", text=FASTV
    )
    values = json.loads(out)
    assert code == 0
    assert values == json.loads(plan(FASTV, "llava", text_tokens=7, images=2).to_json())


def test_settings_reach_the_spec() -> None:
    text = "param budget = 64 tokens\nat input: retain budget\n"
    _, out, _ = invoke("-", "--model", "llava", "--set", "budget=16", "--output-format", "json", text=text)
    assert json.loads(out)["tokens_per_layer"] == [16] * 32


@pytest.mark.parametrize(
    ("text", "model", "expected", "shown", "says"),
    [
        ("at layer 40: retain 50%\n", "llava", 1, False, "error[E0302]"),
        ("at layer 2: retain 50%\n", "lava", 2, False, "did you mean `llava`?"),
        ("at layer 2: retain 50%\n", "./nowhere", 2, False, "error[E0641]"),
        ("at layer 2: retain 100%\n", "llava", 1, True, "warning[W0341]"),
        ("at layer 2: retain 100%   # eos: allow(W0341)\n", "llava", 0, True, ""),
        ("at layer 2: retain 50%\nexpect flops <= 30%\n", "llava", 1, True, "error[E0330]"),
        ("space x for llava\nat layer 2: retain ? 2%..60%\n", "llava", 1, False, "error[E0332]"),
        ("at layer two: retain\n", "llava", 1, False, "error[E01"),
    ],
)
def test_exit_codes(text: str, model: str, expected: int, shown: bool, says: str) -> None:
    """1 for findings (the plan is printed where there is one), 2 where it could not run; messages on standard error."""
    code, out, err = invoke("-", "--model", model, text=text)
    assert (code, "tokens entering" in out) == (expected, shown)
    assert says in err
    assert "Traceback" not in out + err


def test_expectations_are_held_against_the_prompt_that_is_asked_about() -> None:
    text = "at layer 2: retain 50% by norm(hidden)\nexpect prefill_flops <= 58%\n"
    assert invoke("-", "--model", "llava", text=text)[0] == 0
    assert invoke("-", "--model", "llava", "--text-tokens", "2000", text=text)[0] == 1


def test_a_missing_spec() -> None:
    code, _, err = invoke("nowhere.eos", "--model", "llava")
    assert code == 2 and "E0601" in err
