"""`eosdsl check --fix` and `--diff`: fixes written over the specs, or shown."""

from __future__ import annotations

from eosdsl.cli.changes import put, show_difference
from eosdsl.cli.checked import Request, looking, read_specs, report
from eosdsl.cli.console import complain
from eosdsl.cli.exits import FINDINGS, exit_code
from eosdsl.fixing import Check, fix_source
from eosdsl.render.findings import Findings


def mend_specs(request: Request, *, unsafe: bool) -> int:
    """Write fixes where the specs came from, print what is left; the exit code."""
    look = looking(request)
    findings = [_mended(spec, one, look, unsafe) for spec, one in read_specs(request)]
    report(findings, request, to_stderr="-" in request.specs)
    return exit_code(d for one in findings for d in one.diagnostics)


def show_fixes(request: Request, *, unsafe: bool) -> int:
    """Print what fixes would change; the exit code: 1 where something would, 2 where a file could not be read."""
    look = looking(request)
    read = [one for _, one in read_specs(request)]
    code = exit_code(d for one in read for d in one.diagnostics)
    for one in read:
        if one.source is None:
            complain(one.diagnostics, None, request.color)
            continue
        fixed = fix_source(one.source, look, unsafe=unsafe)
        show_difference(one.source, fixed.source.text)
        code = code or (FINDINGS if fixed.applied else 0)
    return code


def _mended(spec: str, read: Findings, look: Check, unsafe: bool) -> Findings:
    """The text with its fixes written; what is left to find in it."""
    if read.source is None:
        return read
    fixed = fix_source(read.source, look, unsafe=unsafe)
    put(spec, read.source, fixed.source.text)
    return Findings(read.name, fixed.source, tuple(fixed.remaining))
