"""What commands print: findings to standard output, what kept them from running to standard error, colour by choice."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from eosdsl.cli.choices import ColorMode
from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.reading import read_source, read_stdin
from eosdsl.source import SourceFile


def wants_color(mode: ColorMode, stream: TextIO) -> bool:
    """Whether to colour: by choice, else for a terminal, unless NO_COLOR is set or the terminal is dumb."""
    if mode is not ColorMode.AUTO:
        return mode is ColorMode.ALWAYS
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def say(text: str, *, to_stderr: bool = False) -> None:
    """One piece of text and a line end, to standard output. Characters that the terminal lacks are escaped."""
    _write(sys.stderr if to_stderr else sys.stdout, text)


def complain(diagnostics: Sequence[Diagnostic], source: SourceFile | None, mode: ColorMode = ColorMode.AUTO) -> None:
    """Diagnostics to standard error."""
    from eosdsl.render.text import render_text

    _write(sys.stderr, render_text(diagnostics, source, wants_color(mode, sys.stderr)))


def spec_source(spec: str, stdin_filename: str | None = None) -> SourceFile:
    """The text of the SPEC argument of a command: a file, or `-` for standard input. Raises SpecError."""
    if spec != "-":
        return read_source(Path(spec))
    if stdin_filename is None:
        return read_stdin()
    return read_stdin(stdin_filename, Path(stdin_filename))


def settings_of(pairs: Sequence[str] | None) -> dict[str, str]:
    """`--set NAME=VALUE` as a mapping. A pair without a name or `=` is a usage error."""
    settings: dict[str, str] = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            import typer

            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="--set")
        settings[name.strip()] = value.strip()
    return settings


def missing_package(name: str, purpose: str) -> SpecError:
    """The error for an optional package that a command needs."""
    return SpecError([error("E0698", f"{purpose} needs the package {name}", helps=(f"pip install {name}",))])


def table_width() -> int:
    """Columns of the terminal, between 72 and 100; 80 where there is none."""
    return min(max(shutil.get_terminal_size((80, 24)).columns, 72), 100)


def writes_blocks() -> bool:
    """Whether standard output can write the characters of the bars and lines."""
    try:
        "█─²".encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def close_quietly() -> None:
    """Flush now, so that a reader that went away (`| head`) causes no message while Python shuts down."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(stream: TextIO, text: str) -> None:
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()
