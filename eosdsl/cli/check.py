"""`eosdsl check`: findings on files, folders or standard input, and their fixes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated

import typer

from eosdsl.cli.checked import Request, check_specs
from eosdsl.cli.console import settings_of
from eosdsl.cli.options import (
    AllowOutside,
    Color,
    ColorMode,
    Format,
    Model,
    OutputFormat,
    Quiet,
    Settings,
    StdinFilename,
    Verbose,
)

EXAMPLES = """
eosdsl check fastv.eos                       one file, for any model
eosdsl check specs --model llava-1.5-7b      every spec in a folder, on one model
eosdsl check fastv.eos --set budget=16       with a param overridden
eosdsl check fastv.eos --diff                what --fix would change
eosdsl check specs --watch                   again after every change
cat fastv.eos | eosdsl check - --stdin-filename fastv.eos
eosdsl check specs --output-format github    for a pull request
"""

Specs = Annotated[list[str], typer.Argument(metavar="SPEC", help="Files, folders, or - for standard input.")]


def command(
    specs: Specs,
    model: Model = None,
    fix: Annotated[bool, typer.Option("--fix", help="Mend in place what can be mended safely.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Print what --fix would change, write nothing.")] = False,
    unsafe_fixes: Annotated[bool, typer.Option("--unsafe-fixes", help="With fixes that are guesses.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Check again after every change of a file.")] = False,
    set_: Settings = None,
    allow_outside: AllowOutside = False,
    output_format: Format = OutputFormat.TEXT,
    stdin_filename: StdinFilename = None,
    color: Color = ColorMode.AUTO,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Say what is wrong with specs, where and why.

    Without --model, what holds for every model is checked; with it, the flow of tokens through that model too.
    """
    request = Request(
        tuple(specs), model, settings_of(set_), allow_outside, output_format, stdin_filename, color, quiet, verbose
    )
    run = _chosen(request, fix=fix, diff=diff, unsafe=unsafe_fixes)
    if watch:
        _watch(specs, run)
    elif code := run():
        raise typer.Exit(code)


def _chosen(request: Request, *, fix: bool, diff: bool, unsafe: bool) -> Callable[[], int]:
    if not (fix or diff):
        return partial(check_specs, request)
    from eosdsl.cli.mending import mend_specs, show_fixes

    return partial(show_fixes if diff else mend_specs, request, unsafe=unsafe)


def _watch(specs: Sequence[str], run: Callable[[], int]) -> None:
    from eosdsl.cli.watch import watch

    if "-" in specs:
        raise typer.BadParameter("standard input cannot be watched", param_hint="--watch")
    watch(specs, run)
