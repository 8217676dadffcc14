"""The guard around every command: what goes wrong inside becomes a diagnostic and an exit code, never a traceback."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager

import typer

from eosdsl.cli.console import complain
from eosdsl.cli.exits import COULD_NOT_RUN, exit_code
from eosdsl.cli.options import ColorMode
from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.reading import os_error_diagnostic

CODES = {
    "E0698": """A Python package that this command needs is not installed.

    The language itself needs few packages; drawing, serving and training need more. The message names the package.
    """,
    "E0699": """An internal error: a fault of eosdsl, not of the spec.

    Run the command again with `-v` for the traceback and report both, with the spec.
    """,
}


@contextmanager
def guarded(context: typer.Context) -> Generator[None]:
    """Turn exceptions into diagnostics on standard error and an exit code (1 findings in a spec, 2 could not run)."""
    try:
        yield
    except SpecError as problem:
        complain(problem.diagnostics, problem.source, _color(context))
        raise typer.Exit(max(exit_code(problem.diagnostics), 1)) from problem
    except BrokenPipeError:
        raise  # the reader went away: typer ends quietly
    except OSError as problem:
        _report(context, os_error_diagnostic(problem), problem)
    except Exception as problem:
        if hasattr(problem, "exit_code") or isinstance(problem, typer.Abort):
            raise  # typer's own: usage errors, exits
        _report(context, _internal(problem), problem)


def _report(context: typer.Context, diagnostic: Diagnostic, problem: Exception) -> None:
    if context.meta.get("eosdsl.verbose"):
        traceback.print_exception(problem)
    complain([diagnostic], None, _color(context))
    raise typer.Exit(COULD_NOT_RUN) from problem


def _internal(problem: Exception) -> Diagnostic:
    what = " ".join(f"{type(problem).__name__}: {problem}".split())
    return error(
        "E0699", f"internal error: {what[:300]}", helps=("run with -v for the traceback, and please report it",)
    )


def _color(context: typer.Context) -> ColorMode:
    chosen = context.meta.get("eosdsl.color")
    return chosen if isinstance(chosen, ColorMode) else ColorMode.AUTO
