"""What went wrong inside a command, as a diagnostic on standard error and an exit code; never a traceback unasked."""

from __future__ import annotations

from eosdsl.cli.choices import ColorMode
from eosdsl.cli.console import complain
from eosdsl.cli.exits import COULD_NOT_RUN, exit_code
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


def report_failure(problem: Exception, color: ColorMode, *, verbose: bool) -> int:
    """Say what went wrong. The exit code: 1 for findings in a spec, 2 where a command could not run."""
    problem = _of_another_version(problem)
    if isinstance(problem, SpecError):
        complain(problem.diagnostics, problem.source, color)
        return max(exit_code(problem.diagnostics), 1)
    if verbose:
        import traceback

        traceback.print_exception(problem)
    complain([os_error_diagnostic(problem) if isinstance(problem, OSError) else _internal(problem)], None, color)
    return COULD_NOT_RUN


def _of_another_version(problem: Exception) -> Exception:
    """The reason for a missing name, where it is that the installed transformers is not supported."""
    if not isinstance(problem, ImportError) or not str(problem.name).startswith("transformers"):
        return problem
    from eosdsl.lowering.versions import refuse_version

    try:
        refuse_version()
    except SpecError as refused:
        return refused
    return problem


def _internal(problem: Exception) -> Diagnostic:
    what = " ".join(f"{type(problem).__name__}: {problem}".split())
    return error(
        "E0699", f"internal error: {what[:300]}", helps=("run with -v for the traceback, and please report it",)
    )
