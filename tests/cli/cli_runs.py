"""Running the command line in-process and as a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from typer.testing import CliRunner

from eosdsl.cli.main import app

EOSDSL = (sys.executable, "-c", "from eosdsl.cli.start import main; main()")


@dataclass(frozen=True)
class Run:
    """What came of a command."""

    code: int
    out: str
    err: str


def invoke(*arguments: str, stdin: str | bytes | None = None, env: Mapping[str, str] | None = None) -> Run:
    """Through typer's runner."""
    result = CliRunner().invoke(app, arguments, input=stdin, env=env)
    return Run(result.exit_code, result.stdout, result.stderr)


def process(
    arguments: Sequence[str], *, stdin: bytes = b"", cwd: Path | None = None, env: Mapping[str, str] | None = None
) -> Run:
    """As a process, in an environment without colours of its own."""
    clean = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
    done = subprocess.run(
        [*EOSDSL, *arguments], input=stdin, capture_output=True, cwd=cwd, env={**clean, **(env or {})}, timeout=120
    )
    return Run(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
