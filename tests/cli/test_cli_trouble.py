"""Bad input as a user meets it: one clear message, the right exit code, never a traceback."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import termios
import time
from array import array
from pathlib import Path
from typing import Any

import pytest
from cli_runs import EOSDSL, invoke, process

GOOD = b"at layer 2: retain 50% by attention(query: last)\n"

TROUBLE: dict[str, tuple[bytes | None, str]] = {
    "gone": (None, "E0601"),
    "latin": ("at layer 2: retain 50%  # naïve\n".encode("latin-1"), "E0604"),
    "utf16": ("at layer 2: retain 50%\n".encode("utf-16"), "E0604"),
    "binary": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff\xfe", "E0604"),
    "huge": (b"#" * (16 * 2**20 + 1), "E0606"),
}


@pytest.mark.parametrize("kind", TROUBLE)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, kind: str) -> None:
    data, code = TROUBLE[kind]
    spec = tmp_path / f"{kind}.eos"
    if data is not None:
        spec.write_bytes(data)
    run = invoke("check", str(spec))
    assert run.code == 2
    assert run.out.startswith(f"error[{code}]: {spec}")
    for command in ("fmt", "ir", "explain"):
        run = invoke(command, str(spec))
        assert run.code == 2
        assert run.err.startswith(f"error[{code}]: {spec}")


def test_a_folder_given_as_a_file_is_named(tmp_path: Path) -> None:
    run = invoke("ir", str(tmp_path))
    assert run.code == 2
    assert "E0603" in run.err


def test_a_file_as_a_part_of_a_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.eos").write_bytes(GOOD)
    assert "E0603" in invoke("ir", str(tmp_path / "a.eos" / "b.eos")).err


def test_a_name_that_no_file_can_have_is_refused() -> None:
    run = invoke("check", "a\0b.eos")
    assert run.code == 2
    assert "E0601" in run.out


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_bytes(GOOD)
    spec.chmod(0)
    if os.access(spec, os.R_OK):
        pytest.skip("this user may read everything")
    run = invoke("check", str(spec))
    assert (run.code, "E0602" in run.out) == (2, True)


@pytest.mark.parametrize(
    "text",
    [
        b"at",
        b"at layer 2: retain",
        b"at layer 2: retain 50% by (((((",
        b"at layer 2: retain 50% \xf0\x9f\x98\x80",
        b'use "',
        b"\0\0\0",
        b"\xef\xbb\xbfat layer 99999999999999999999: retain 1e400%",
        b"at layer 2: retain 50% by " + b"(" * 3000 + b"norm(hidden)" + b")" * 3000,
        b"at layer 2: retain 50% by " + b"a" * 100_000,
        b"at layer 2: retain 50% via mix(merge, merge(, prune",
        b"\r\n\r\n\tat layer 2 retain 50%\r",
        b"%%%" * 1000,
    ],
    ids=range(12),
)
def test_a_broken_text_is_a_finding(text: bytes) -> None:
    run = invoke("check", "-", stdin=text)
    assert run.code == 1, run.out
    assert "error[E0" in run.out
    assert "E069" not in run.out
    assert "Traceback" not in run.out + run.err


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = tmp_path / "a.eos"
    ugly = b"at layer 2:retain 50%\n"
    spec.write_bytes(ugly)

    def full(self: Path, data: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(self))

    monkeypatch.setattr(Path, "write_bytes", full)
    run = invoke("fmt", str(spec))
    assert run.code == 2
    assert "E0605" in run.err
    monkeypatch.undo()
    assert spec.read_bytes() == ugly
    assert [file.name for file in tmp_path.iterdir()] == ["a.eos"]


def test_a_fault_of_ours_is_one_line_and_a_traceback_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("of no use")

    monkeypatch.setattr("eosdsl.parsing.parse_source", fail)
    run = invoke("ir", "-", stdin=GOOD)
    assert run.code == 2
    assert run.err.splitlines()[0] == "error[E0699]: internal error: RuntimeError: of no use"
    assert "Traceback" not in run.err
    assert "Traceback" in invoke("ir", "-", "-v", stdin=GOOD).err


def test_a_fault_while_checking_one_text_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RecursionError("too deep")

    monkeypatch.setattr("eosdsl.checking.parse_syntax", fail)
    run = invoke("check", "-", stdin=GOOD)
    assert run.code == 2
    assert "error[E0697]" in run.out


def test_as_a_process_findings_and_clean_runs(tmp_path: Path) -> None:
    (tmp_path / "good.eos").write_bytes(GOOD)
    (tmp_path / "bad.eos").write_bytes(b"at layer 2: retian 50%\n")
    assert process(["check", "good.eos"], cwd=tmp_path).code == 0
    bad = process(["check", "bad.eos"], cwd=tmp_path)
    assert (bad.code, bad.err) == (1, "")
    assert " --> bad.eos:1:13\n" in bad.out
    assert process(["check", "gone.eos"], cwd=tmp_path).code == 2


def test_a_terminal_without_unicode_gets_escapes(tmp_path: Path) -> None:
    (tmp_path / "a.eos").write_bytes("at layer 2: retain 50% 語\n".encode())
    run = process(["check", "a.eos"], cwd=tmp_path, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert run.code == 1
    assert "\\u8a9e" in run.out


@pytest.mark.skipif(sys.platform == "win32", reason="pipes differ")
def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "many.eos").write_bytes(b"at layer 2: retian 50%\n" * 3000)
    command = subprocess.Popen(
        [*EOSDSL, "check", "many.eos"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.read(10)
    command.stdout.close()
    assert command.stderr.read() == b""
    command.wait(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_interrupted_is_130_and_quiet() -> None:
    command = subprocess.Popen(
        [*EOSDSL, "check", "-"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=_interruptible,
    )
    assert command.stdin is not None
    # once the pipe is drained, it waits for the rest of its standard input, however slow the machine is
    command.stdin.write(b"at layer 2: ")
    command.stdin.flush()
    while _unread(command.stdin.fileno()):
        time.sleep(0.05)
    command.send_signal(signal.SIGINT)
    out, err = command.communicate(timeout=60)
    assert command.returncode == 130
    assert (out, err) == (b"", b"")


@pytest.mark.skipif(sys.platform == "win32", reason="signals differ")
def test_watching_checks_again_after_a_change_and_ends_quietly(tmp_path: Path) -> None:
    spec = tmp_path / "a.eos"
    spec.write_bytes(GOOD)
    pipe = subprocess.PIPE
    command = subprocess.Popen(
        [*EOSDSL, "check", "--watch", str(spec)], stdout=pipe, stderr=pipe, preexec_fn=_interruptible
    )
    assert command.stdout is not None
    assert command.stdout.readline() == b"1 file: nothing to report.\n"
    spec.write_bytes(b"at layer 2: retian 50%\n")
    assert command.stdout.readline().startswith(b"error[E0103]")
    command.send_signal(signal.SIGINT)
    _, err = command.communicate(timeout=60)
    assert (command.returncode, err) == (0, b"")


def test_standard_input_cannot_be_watched() -> None:
    assert invoke("check", "--watch", "-", stdin=GOOD).code == 2


def _interruptible() -> None:
    """Undo what a test run in the background inherits: a shell's `&` has its children ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _unread(pipe: int) -> int:
    """Bytes that lie in a pipe and that nobody has read yet."""
    waiting = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, waiting)
    return waiting[0]


IMPORTS = """
import sys
sys.argv = ["eosdsl", *{arguments!r}]
try:
    from eosdsl.cli.start import main
    main()
except SystemExit:
    pass
print("\\nMODULES", *sorted(name for name in sys.modules if "." not in name))
"""


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["check", "a.eos"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["check", "a.eos", "--model", "llava"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["fmt", "a.eos"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["explain", "E0601"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["ir", "a.eos"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx"}),
        (["plan", "a.eos", "--model", "llava"], {"torch", "transformers", "numpy", "PIL", "networkx"}),
        (["new", "b"], {"torch", "transformers", "numpy", "PIL", "rich", "lark", "networkx", "pydantic_settings"}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, list) else "",
)
def test_a_command_loads_only_what_it_needs(tmp_path: Path, arguments: list[str], absent: set[str]) -> None:
    (tmp_path / "a.eos").write_bytes(GOOD)
    program = IMPORTS.format(arguments=arguments)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, timeout=120)
    loaded = set(done.stdout.rpartition("MODULES")[2].split())
    assert "eosdsl" in loaded
    assert not loaded & absent


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("eosdsl ch", ["check"]),
        ("eosdsl check --unsafe", ["--unsafe-fixes"]),
        ("eosdsl check --color al", ["always"]),
        ("eosdsl check --model llava-1.5-7", ["llava-1.5-7b"]),
        ("eosdsl explain E0601", ["E0601"]),
        ("eosdsl explain merg", ["merge"]),
    ],
)
def test_the_shell_completes_commands_options_and_choices(words: str, offered: list[str]) -> None:
    env = {"_EOSDSL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
    run = process([], env=env)
    assert (run.code, run.out.split()) == (0, offered)
