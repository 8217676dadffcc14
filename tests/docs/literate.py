"""The code blocks of a Markdown page, and how each kind is executed.

- ```eos FILE: a spec. It must parse, pass the check without errors, and be as the formatter writes it; where the info
  line names a file it is written there for the blocks below. `eos wrong FILE` is a spec that must not pass the check.
- ```python: executed, all of a page in one namespace.
- ```console: `$ eosdsl …` lines are run, and what follows is what they print: a line `…` stands for any lines, `…`
  inside a line for anything. `# exit 1` at the end of a command says its exit code.
- ```json: parses. Other languages (sh, text) are not executed.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r"^```(?P<language>\w+)(?P<info>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"^\$ (?P<command>.*?)(?:\s+# exit (?P<exit>\d))?$")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words behind it, its text, and the line of the page it begins at."""

    language: str
    info: tuple[str, ...]
    text: str
    line: int


@dataclass(frozen=True)
class Command:
    """One `$` line of a console block with what is printed below it."""

    arguments: tuple[str, ...]
    exit_code: int
    expected: str


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(match["language"], tuple(match["info"].split()), match["text"], text.count("\n", 0, match.start()) + 1)
        for match in _FENCE.finditer(text)
    ]


def commands(text: str) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    for line in text.splitlines():
        match = _COMMAND.match(line)
        if match:
            found.append(Command(tuple(shlex.split(match["command"])), int(match["exit"] or 0), ""))
            continue
        assert found, f"a console block begins with output: {line!r}"
        last = found.pop()
        found.append(Command(last.arguments, last.exit_code, last.expected + line + "\n"))
    return found


def shows(expected: str, printed: str) -> bool:
    """Whether what was printed is what the page shows, up to runs of spaces and to what `…` leaves out."""
    wanted = [_words(line) for line in expected.splitlines()]
    given = [_words(line) for line in printed.splitlines()]
    pattern = "".join("(?:.*\n)*?" if line == "…" else _line_pattern(line) + "\n" for line in _trimmed(wanted))
    return re.fullmatch(pattern, "".join(line + "\n" for line in _trimmed(given))) is not None


def _line_pattern(line: str) -> str:
    return "[^\n]*".join(re.escape(part) for part in line.split("…"))


def _words(line: str) -> str:
    return " ".join(line.split())


def _trimmed(lines: list[str]) -> list[str]:
    """Without the empty lines, which pages leave out and put in freely."""
    return [line for line in lines if line]
