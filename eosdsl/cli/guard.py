"""The guard around every command: what goes wrong inside becomes a diagnostic and an exit code, never a traceback."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import typer

from eosdsl.cli.choices import ColorMode
from eosdsl.cli.failures import report_failure


@contextmanager
def guarded(context: typer.Context) -> Generator[None]:
    """Turn exceptions into diagnostics on standard error and an exit code (1 findings in a spec, 2 could not run)."""
    try:
        yield
    except BrokenPipeError:
        raise  # the reader went away: typer ends quietly
    except Exception as problem:
        if hasattr(problem, "exit_code") or isinstance(problem, typer.Abort):
            raise  # typer's own: usage errors, exits
        code = report_failure(problem, _color(context), verbose=bool(context.meta.get("eosdsl.verbose")))
        raise typer.Exit(code) from problem


def _color(context: typer.Context) -> ColorMode:
    chosen = context.meta.get("eosdsl.color")
    return chosen if isinstance(chosen, ColorMode) else ColorMode.AUTO
