"""`eosdsl check`: findings on files, folders or standard input, and their fixes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from eosdsl.cli.console import complain, say, settings_of, spec_source, wants_color
from eosdsl.cli.exits import FINDINGS, exit_code
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
from eosdsl.source import SourceFile

if TYPE_CHECKING:
    from eosdsl.fixing import Check

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
    settings = settings_of(set_)

    def look(source: SourceFile) -> list[Diagnostic]:
        from eosdsl.checking import check_source

        return check_source(source, model, settings=settings, allow_outside=allow_outside)

    def run() -> int:
        read = [(spec, _read(spec, stdin_filename)) for spec in expand(specs)]
        if diff:
            return _show_fixes([one for _, one in read], look, unsafe_fixes, color)
        findings = [_mended(spec, one, look, unsafe_fixes) if fix else _checked(one, look) for spec, one in read]
        _report(findings, output_format, color, quiet, to_stderr=fix and "-" in specs)
        return exit_code(d for one in findings for d in one.diagnostics)

    if watch:
        _watch(specs, run)
    elif code := run():
        raise typer.Exit(code)


def _watch(specs: Sequence[str], run: Callable[[], int]) -> None:
    from eosdsl.cli.watch import watch

    if "-" in specs:
        raise typer.BadParameter("standard input cannot be watched", param_hint="--watch")
    watch(specs, run)


def _report(
    findings: Sequence[Findings], output_format: OutputFormat, color: ColorMode, quiet: bool, *, to_stderr: bool
) -> None:
    shown = [_errors_only(one) for one in findings] if quiet else findings
    text = render(shown, output_format.value, wants_color(color, sys.stdout))
    summary = _summary(findings) if output_format is OutputFormat.TEXT and not quiet else ""
    report = "\n\n".join(part for part in (text, summary) if part)
    if report:
        say(report, to_stderr=to_stderr)


def _read(spec: str, stdin_filename: str | None) -> Findings:
    """The text of a spec, not looked at yet; or why it cannot be read."""
    try:
        source = spec_source(spec, stdin_filename)
    except SpecError as problem:
        return Findings(spec, None, tuple(problem.diagnostics))
    return Findings(source.name, source, ())


def _checked(read: Findings, look: Check) -> Findings:
    return read if read.source is None else Findings(read.name, read.source, tuple(look(read.source)))


def _mended(spec: str, read: Findings, look: Check, unsafe: bool) -> Findings:
    """The text with its fixes written; what is left to find in it."""
    from eosdsl.cli.changes import put
    from eosdsl.fixing import fix_source

    if read.source is None:
        return read
    fixed = fix_source(read.source, look, unsafe=unsafe)
    put(spec, read.source, fixed.source.text)
    return Findings(read.name, fixed.source, tuple(fixed.remaining))


def _show_fixes(read: Sequence[Findings], look: Check, unsafe: bool, color: ColorMode) -> int:
    """Print what fixes would change; the exit code: 1 where something would, 2 where a file could not be read."""
    from eosdsl.cli.changes import show_difference
    from eosdsl.fixing import fix_source

    code = exit_code(d for one in read for d in one.diagnostics)
    for one in read:
        if one.source is None:
            complain(one.diagnostics, None, color)
            continue
        fixed = fix_source(one.source, look, unsafe=unsafe)
        show_difference(one.source, fixed.source.text)
        code = code or (FINDINGS if fixed.applied else 0)
    return code


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
