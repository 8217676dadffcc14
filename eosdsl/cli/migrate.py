"""`eosdsl migrate`: brings specs to the current version of the language."""

from __future__ import annotations

from typing import Annotated

import typer

from eosdsl.cli.changes import put, show_difference
from eosdsl.cli.console import complain, say, spec_source
from eosdsl.cli.exits import FINDINGS, exit_code
from eosdsl.cli.options import Color, ColorMode, Quiet, StdinFilename, Verbose
from eosdsl.cli.specs import expand
from eosdsl.diagnostics import Diagnostic, SpecError

EXAMPLES = """
eosdsl migrate specs            every spec in a folder, in place
eosdsl migrate specs --diff     print what would change; exit 1 if anything
eosdsl migrate - < old.eos      from standard input to standard output
"""

Specs = Annotated[list[str], typer.Argument(metavar="SPEC", help="Files, folders, or - for standard input.")]


def command(
    specs: Specs,
    diff: Annotated[bool, typer.Option("--diff", help="Print the changes instead of writing.")] = False,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Bring specs to the current version of the language, and make them name it (`eos 1`).

    A file with syntax errors is left as it is.
    """
    from eosdsl.migrating import migrate

    problems: list[Diagnostic] = []
    changed: list[str] = []
    for spec in expand(specs):
        try:
            source = spec_source(spec, stdin_filename)
            text = migrate(source)
        except SpecError as problem:
            complain(problem.diagnostics, problem.source, color)
            problems.extend(problem.diagnostics)
            continue
        if text != source.text:
            changed.append(source.name)
        if diff:
            show_difference(source, text)
        else:
            put(spec, source, text)
    if changed and not diff and not quiet and "-" not in specs:
        say("\n".join(f"migrated {name}" for name in changed))
    code = exit_code(problems) or (FINDINGS if diff and changed else 0)
    if code:
        raise typer.Exit(code)
