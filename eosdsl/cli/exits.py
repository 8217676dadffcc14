"""Exit codes: 0 clean (information allowed), 1 findings (errors or warnings), 2 could not run, 130 interrupted."""

from __future__ import annotations

from collections.abc import Iterable

from eosdsl.diagnostics import Diagnostic, Severity

CLEAN = 0
FINDINGS = 1
COULD_NOT_RUN = 2
INTERRUPTED = 130


def exit_code(diagnostics: Iterable[Diagnostic]) -> int:
    """The exit code for these findings: E06xx (the world outside the spec) means that the command could not run."""
    code = CLEAN
    for diagnostic in diagnostics:
        if diagnostic.code.startswith("E06"):
            return COULD_NOT_RUN
        if diagnostic.severity is not Severity.INFO:
            code = FINDINGS
    return code
