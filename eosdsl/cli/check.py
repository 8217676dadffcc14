"""`eosdsl check`: findings on files, folders or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import Annotated

import typer

from eosdsl.cli.console import say, settings_of, spec_source, wants_color
from eosdsl.cli.exits import CLEAN, exit_code
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
from eosdsl.cli.specs import expand
from eosdsl.diagnostics import Diagnostic, Severity, SpecError
from eosdsl.render.findings import Findings
from eosdsl.render.formats import render

EXAMPLES = """
eosdsl check fastv.eos                       one file, for any model
eosdsl check specs --model llava-1.5-7b      every spec in a folder, on one model
eosdsl check fastv.eos --set budget=16       with a param overridden
cat fastv.eos | eosdsl check - --stdin-filename fastv.eos
eosdsl check specs --output-format github    for a pull request
"""

Specs = Annotated[list[str], typer.Argument(metavar="SPEC", help="Files, folders, or - for standard input.")]


def command(
    specs: Specs,
    model: Model = None,
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
    settings = settings_of(set_)
    findings = [_findings(spec, model, settings, allow_outside, stdin_filename) for spec in expand(specs)]
    shown = [_errors_only(f) for f in findings] if quiet else findings
    text = render(shown, output_format.value, wants_color(color, sys.stdout))
    if text:
        say(text)
    if output_format is OutputFormat.TEXT and not quiet:
        say(("\n" if text else "") + _summary(findings))
    code = exit_code(d for f in findings for d in f.diagnostics)
    if code != CLEAN:
        raise typer.Exit(code)


def _findings(
    spec: str, model: str | None, settings: dict[str, str], allow_outside: bool, stdin_filename: str | None
) -> Findings:
    from eosdsl.checking import check_source

    try:
        source = spec_source(spec, stdin_filename)
    except SpecError as problem:
        return Findings(spec, None, tuple(problem.diagnostics))
    found = check_source(source, model, settings=settings, allow_outside=allow_outside)
    return Findings(source.name, source, tuple(found))


def _errors_only(findings: Findings) -> Findings:
    kept = tuple(d for d in findings.diagnostics if d.severity is Severity.ERROR)
    return Findings(findings.name, findings.source, kept)


def _summary(findings: Sequence[Findings]) -> str:
    """`2 errors and 1 warning in 3 files.`"""
    diagnostics = [d for f in findings for d in f.diagnostics]
    files = _count(len(findings), "file")
    parts = [_count(number, name) for name, number in _by_severity(diagnostics).items() if number]
    return f"{' and '.join(parts)} in {files}." if parts else f"{files}: nothing to report."


def _by_severity(diagnostics: Iterable[Diagnostic]) -> dict[str, int]:
    counts = {"error": 0, "warning": 0, "remark": 0}
    for diagnostic in diagnostics:
        counts["remark" if diagnostic.severity is Severity.INFO else diagnostic.severity.value] += 1
    return counts


def _count(number: int, name: str) -> str:
    return f"{number} {name}" + ("" if number == 1 else "s")
