"""`eosdsl fmt`: formats files in place; comments survive, meaning stays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from eosdsl.cli.changes import put, show_difference
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
    """A text before and after; `spec` is the argument it came from."""

    spec: str
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
            results.append(_formatted(spec, spec_source(spec, stdin_filename)))
        except SpecError as problem:
            complain(problem.diagnostics, problem.source, color)
            problems.extend(problem.diagnostics)
    for result in results:
        _put(result, check, diff, quiet)
    changed = sum(result.changed for result in results)
    if not quiet and not diff and "-" not in specs:
        typer.echo(_summary(changed, len(results), check), err=True)
    code = exit_code(problems) or (FINDINGS if changed and (check or diff) else 0)
    if code:
        raise typer.Exit(code)


def _formatted(spec: str, source: SourceFile) -> Formatted:
    """The formatted text, with the line ends that the file had. Raises SpecError with the source."""
    from eosdsl.syntax.format import format_text

    try:
        text = format_text(source.text.replace("\r\n", "\n"))
    except SpecError as problem:
        raise SpecError(problem.diagnostics, source) from problem
    return Formatted(spec, source, text.replace("\n", "\r\n") if "\r\n" in source.text else text)


def _put(result: Formatted, check: bool, diff: bool, quiet: bool) -> None:
    """Write, print or only name one result."""
    if diff:
        show_difference(result.source, result.text)
    elif not check:
        put(result.spec, result.source, result.text)
    elif result.changed and not quiet:
        say(f"would reformat {result.source.name}")


def _summary(changed: int, total: int, check: bool) -> str:
    verb = "would be reformatted" if check else "reformatted"
    parts = [f"{_files(changed)} {verb}"] if changed else []
    parts += [f"{_files(total - changed)} left unchanged"] if total > changed else []
    return ", ".join(parts) + "." if parts else "no files."


def _files(number: int) -> str:
    return f"{number} file" + ("" if number == 1 else "s")
