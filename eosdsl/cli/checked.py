"""What `eosdsl check` does once its command line has been read: look at every spec and report."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from eosdsl.cli.choices import ColorMode, OutputFormat
from eosdsl.cli.console import say, spec_source, wants_color
from eosdsl.cli.exits import exit_code
from eosdsl.cli.specs import expand
from eosdsl.diagnostics import Diagnostic, Severity, SpecError
from eosdsl.render.findings import Findings
from eosdsl.render.formats import render
from eosdsl.source import SourceFile
from eosdsl.syntax.record import Record

if TYPE_CHECKING:
    from eosdsl.fixing import Check


class Request(Record):
    """The command line of a check."""

    specs: tuple[str, ...]
    model: str | None = None
    settings: Mapping[str, str] | None = None
    allow_outside: bool = False
    output_format: OutputFormat = OutputFormat.TEXT
    stdin_filename: str | None = None
    color: ColorMode = ColorMode.AUTO
    quiet: bool = False
    verbose: bool = False


def check_specs(request: Request) -> int:
    """Check, print the findings; the exit code."""
    look = looking(request)
    findings = [_checked(one, look) for _, one in read_specs(request)]
    report(findings, request)
    return exit_code(d for one in findings for d in one.diagnostics)


def looking(request: Request) -> Check:
    """What finds something in a text that has been read."""

    def look(source: SourceFile) -> list[Diagnostic]:
        from eosdsl.checking import check_source

        return check_source(source, request.model, settings=request.settings, allow_outside=request.allow_outside)

    return look


def read_specs(request: Request) -> list[tuple[str, Findings]]:
    """Every spec as it is named and its text, not looked at yet; or why it cannot be read."""
    return [(spec, _read(spec, request.stdin_filename)) for spec in expand(request.specs)]


def report(findings: Sequence[Findings], request: Request, *, to_stderr: bool = False) -> None:
    """Print findings in the format that was asked for, with a summary for people."""
    shown = [_errors_only(one) for one in findings] if request.quiet else findings
    text = render(shown, request.output_format.value, wants_color(request.color, sys.stdout))
    summary = _summary(findings) if request.output_format is OutputFormat.TEXT and not request.quiet else ""
    whole = "\n\n".join(part for part in (text, summary) if part)
    if whole:
        say(whole, to_stderr=to_stderr)


def _read(spec: str, stdin_filename: str | None) -> Findings:
    try:
        source = spec_source(spec, stdin_filename)
    except SpecError as problem:
        return Findings(spec, None, tuple(problem.diagnostics))
    return Findings(source.name, source, ())


def _checked(read: Findings, look: Check) -> Findings:
    return read if read.source is None else Findings(read.name, read.source, tuple(look(read.source)))


def _errors_only(findings: Findings) -> Findings:
    kept = tuple(d for d in findings.diagnostics if d.severity is Severity.ERROR)
    return Findings(findings.name, findings.source, kept)


def _summary(findings: Sequence[Findings]) -> str:
    """`2 errors and 1 warning in 3 files.`, with how many can be mended."""
    diagnostics = [d for one in findings for d in one.diagnostics]
    files = _count(len(findings), "file")
    parts = [_count(number, name) for name, number in _by_severity(diagnostics).items() if number]
    if not parts:
        return f"{files}: nothing to report."
    safe = sum(d.fix is not None and d.fix.applicability == "safe" for d in diagnostics)
    mendable = f" --fix mends {safe} of them." if safe else ""
    return f"{_joined(parts)} in {files}.{mendable}"


def _by_severity(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    counts = {"error": 0, "warning": 0, "remark": 0}
    for diagnostic in diagnostics:
        counts["remark" if diagnostic.severity is Severity.INFO else diagnostic.severity.value] += 1
    return counts


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")


def _joined(parts: list[str]) -> str:
    return ", ".join(parts[:-1]) + " and " + parts[-1] if len(parts) > 1 else parts[0]
