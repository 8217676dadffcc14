"""`eosdsl fmt`: formats files in place; comments survive, meaning stays."""

from __future__ import annotations

import difflib
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from eosdsl.cli.console import complain, say, spec_source
from eosdsl.cli.exits import FINDINGS, exit_code
from eosdsl.cli.options import Color, ColorMode, Quiet, StdinFilename, Verbose
from eosdsl.cli.specs import expand
from eosdsl.diagnostics import Diagnostic, SpecError
from eosdsl.source import SourceFile

EXAMPLES = """
eosdsl fmt fastv.eos             format one file in place
eosdsl fmt specs                 every spec in a folder
eosdsl fmt specs --check         exit 1 where a file is not formatted, write nothing
eosdsl fmt fastv.eos --diff      print what would change, write nothing
eosdsl fmt - < fastv.eos         from standard input to standard output
"""

Specs = Annotated[list[str], typer.Argument(metavar="SPEC", help="Files, folders, or - for standard input.")]


@dataclass(frozen=True)
class Formatted:
    """A text before and after."""

    source: SourceFile
    text: str

    @property
    def changed(self) -> bool:
        return self.text != self.source.text


def command(
    specs: Specs,
    check: Annotated[bool, typer.Option("--check", help="Only say which files would change; exit 1.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print the changes instead of writing; exit 1.")] = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Format specs in place: one form for every spec, so that a change of meaning is all that a diff shows.

    A file with syntax errors is left as it is.
    """
    problems: list[Diagnostic] = []
    results: list[Formatted] = []
    for spec in expand(specs):
        try:
            results.append(_formatted(spec_source(spec, stdin_filename)))
        except SpecError as problem:
            complain(problem.diagnostics, problem.source, color)
            problems.extend(problem.diagnostics)
    changed = [result for result in results if result.changed]
    for result in results:
        _put(result, check, diff, quiet)
    if not quiet and not diff and "-" not in specs:
        typer.echo(_summary(len(changed), len(results), check), err=True)
    code = exit_code(problems) or (FINDINGS if changed and (check or diff) else 0)
    if code:
        raise typer.Exit(code)


def _formatted(source: SourceFile) -> Formatted:
    """The formatted text, with the line ends that the file had. Raises SpecError with the source."""
    from eosdsl.syntax.format import format_text

    try:
        text = format_text(source.text.replace("\r\n", "\n"))
    except SpecError as problem:
        raise SpecError(problem.diagnostics, source) from problem
    return Formatted(source, text.replace("\n", "\r\n") if "\r\n" in source.text else text)


def _put(result: Formatted, check: bool, diff: bool, quiet: bool) -> None:
    """Write, print or only name one result."""
    if diff:
        sys.stdout.write(_difference(result))
    elif check:
        if result.changed and not quiet:
            say(f"would reformat {result.source.name}")
    elif result.source.name == "<stdin>" or result.source.path is None:
        sys.stdout.write(result.text)
    elif result.changed:
        _write(result.source.path, result.text)


def _difference(result: Formatted) -> str:
    name = result.source.name
    before, after = result.source.text.splitlines(keepends=True), result.text.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, name, name))


def _write(path: Path, text: str) -> None:
    from eosdsl.writing import file_in_one_piece

    target = path.resolve()  # a link stays a link
    with file_in_one_piece(target) as unfinished:
        unfinished.write_bytes(text.encode())
        mode = target.stat().st_mode
    if target.stat().st_mode != mode:
        target.chmod(mode)


def _summary(changed: int, total: int, check: bool) -> str:
    verb = "would be reformatted" if check else "reformatted"
    same = total - changed
    parts = [f"{changed} file{'s' if changed != 1 else ''} {verb}"] if changed else []
    parts += [f"{same} file{'s' if same != 1 else ''} left unchanged"] if same else []
    return ", ".join(parts) + "." if parts else "no files."
