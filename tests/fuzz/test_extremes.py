"""Texts beyond all measure: a diagnostic each, at once, and no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from survival import check_survives, editor_survives, passes_survive

import eosdsl
from eosdsl.diagnostics import Severity, SpecError

LINE = "at layer 2: retain {}\n"
ERRORS: dict[str, str] = {
    "an exponent": LINE.format("1e999999%"),
    "a negative exponent": LINE.format("1e-999999%"),
    "many digits": LINE.format("9" * 100_000 + " tokens"),
    "many decimals": LINE.format("0." + "1" * 100_000),
    "a long fraction": LINE.format("1" * 50_000 + "/" + "3" * 50_000),
    "a layer of many digits": f"at layer {'9' * 100_000}: retain 5%",
    "a range without end": "at layers 0..99999999999999999999: retain 5%",
    "a long range": "at layer 0..9999999999: retain 5%",
    "large dims": LINE.format("25% pick grid(" + "9" * 30 + "x" + "9" * 30 + ")"),
    "a division by zero": LINE.format("1/0"),
    "nested parentheses": LINE.format("25% by " + "(" * 20_000 + "norm" + ")" * 20_000),
    "nested calls": LINE.format("25% by " + "normalise(" * 20_000 + "norm" + ")" * 20_000),
    "nested minus signs": LINE.format("25% by " + "-" * 20_000 + "norm"),
    "nested choices": LINE.format("? {" * 20_000 + "5%" + "}" * 20_000),
    "open parentheses": LINE.format("25% by " + "(" * 100_000),
    "closing ones": ")" * 100_000,
    "an unterminated text": 'use "never\nat layer 2: retain 5%',
    "quotes": '"' * 100_001,
    "a long line of noise": "x" * 1_000_000,
    "a long line of marks": "?" * 1_000_000,
    "a long name": f"operator {'a' * 1_000_000} for llava {LINE.format('5%')} (",
    "a lone surrogate": "at layer 2: retain \ud800 5%",
    "half an emoji": "score \ud83d = norm(keys)",
    "null characters": "\x00" * 1000,
    "control characters": "at layer 2:\x01retain\x7f5%\x1b[31m",
    "other digits": "at layer ２: retain ٥٠%",
    "other spaces": "at\u00a0layer\u30002:\u2003retain 5%",
    "other letters": "аt layer 2: retain 5%",  # the first is Cyrillic
    "right-to-left": "at layer 2: \u202eretain 5%\u202c",
    "combining marks": "a\u0301t layer 2: retain 5%",
    "a score of itself": "score a = a\nat layer 2: retain 5% by a",
    "params in a circle": "param a = b\nparam b = a\nat layer a: retain 5%",
    "a long circle": "".join(f"score s{i} = s{(i + 1) % 500}\n" for i in range(500)) + LINE.format("5% by s0"),
    "two of everything": "operator a\noperator b\neos 1\neos 1\n" + LINE.format("5%") * 2,
    "a hundred mistakes": "at layr 2; retain 5\n" * 100,
    "only white space": " \t\r\n\f\ufeff" * 1000,
    "nothing": "",
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ERRORS)
def test_a_diagnostic_each(name: str) -> None:
    text = ERRORS[name]
    found = check_survives(text)
    assert [d for d in found if d.severity is Severity.ERROR], "this is wrong, and somebody has to say so"
    passes_survive(text)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ERRORS)
def test_the_editor_goes_on(name: str) -> None:
    editor_survives(ERRORS[name], min(len(ERRORS[name]), 40))


RIGHT: dict[str, str] = {
    "a byte-order mark": "\ufeff" + LINE.format("50%"),
    "CRLF": "\r\n" + LINE.format("50%").replace("\n", "\r\n"),
    "CR": LINE.format("50%").replace("\n", "\r"),
    "a comment of emoji": "# 😀層é\u202e\n" + LINE.format("50%"),
    "a comment of one megabyte": "#" + "x" * 1_000_000 + "\n" + LINE.format("50%"),
    "a line of one megabyte": "at layer 2:" + " " * 1_000_000 + "retain 50%",
    "blank lines": "\n" * 100_000 + LINE.format("50%"),
    "a long sum": LINE.format("5% by " + " + ".join(["norm(keys)"] * 2000)),
    "a long list": "at layers " + ", ".join(map(str, range(1, 31))) + ": retain 5%",
    "forty parentheses": LINE.format("25% by " + "(" * 40 + "norm" + ")" * 40),
    "a chain of scores": "score s0 = norm(keys)\n"
    + "".join(f"score s{i + 1} = s{i} + norm(keys)\n" for i in range(40))
    + LINE.format("5% by s40"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", RIGHT)
def test_what_is_only_large_or_strange_is_right(name: str) -> None:
    assert [d for d in check_survives(RIGHT[name]) if d.severity is Severity.ERROR] == []
    passes_survive(RIGHT[name])
    editor_survives(RIGHT[name], 20)


@pytest.mark.parametrize("name", ["a byte-order mark", "CRLF", "CR"])
def test_line_ends_and_marks_change_no_meaning(name: str) -> None:
    assert eosdsl.parse(RIGHT[name]) == eosdsl.parse(LINE.format("50%"))


@pytest.mark.timeout(120)
@pytest.mark.parametrize("depth", [10, 100, 1000])
def test_scores_defined_by_scores_of_any_depth_are_answered(depth: int) -> None:
    chain = "".join(f"score s{i + 1} = s{i} * norm(keys)\n" for i in range(depth))
    text = f"score s0 = norm(keys)\n{chain}at layer 2: retain 5% by s{depth}\n"
    check_survives(text)
    passes_survive(text)


@pytest.mark.timeout(120)
def test_scores_that_double_do_not_fill_the_memory() -> None:
    doubling = "".join(f"score s{i + 1} = s{i} + s{i}\n" for i in range(60))
    found = check_survives(f"score s0 = norm(keys)\n{doubling}at layer 2: retain 5% by s60\n")
    assert [d for d in found if d.severity is Severity.ERROR]


FILES: dict[str, bytes] = {
    "utf-16": "at layer 2: retain 50%".encode("utf-16"),
    "latin-1": "# caf\xe9\nat layer 2: retain 50%".encode("latin-1"),
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4,
    "a surrogate in bytes": b"at layer 2: retain \xed\xa0\x80",
    "an overlong byte": b"at layer 2: retain \xc0\xae",
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_text(name: str, tmp_path: Path) -> None:
    file = tmp_path / "spec.eos"
    file.write_bytes(FILES[name])
    (found,) = eosdsl.check(file)
    assert found.code == "E0604"
    with pytest.raises(SpecError):
        eosdsl.parse(file)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("command", [["check"], ["fmt", "--check"], ["explain"], ["ir"], ["plan", "--model", "llava"]])
def test_commands_end_with_a_diagnostic(command: list[str], tmp_path: Path) -> None:
    """The whole way through a terminal that knows only ASCII."""
    file = tmp_path / "spec.eos"
    file.write_text("at layer 😀: retain \u202e1e999999%" + "(" * 5000, encoding="utf-8")
    launched = [sys.executable, "-c", "from eosdsl.cli.start import main; main()", *command, str(file)]
    environment = {"PYTHONIOENCODING": "ascii", "NO_COLOR": "1", "PATH": "/usr/bin"}
    ended = subprocess.run(launched, capture_output=True, text=True, env=environment)
    assert ended.returncode in (1, 2)
    assert "E01" in ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr
