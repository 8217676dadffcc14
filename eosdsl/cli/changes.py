"""Changed texts: as a unified diff, or written over the file they came from."""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from eosdsl.source import SourceFile


def show_difference(before: SourceFile, after: str) -> None:
    """The change as a unified diff on standard output; nothing where there is none."""
    old, new = before.text.splitlines(keepends=True), after.splitlines(keepends=True)
    for line in difflib.unified_diff(old, new, before.name, before.name):
        sys.stdout.write(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def put(spec: str, before: SourceFile, after: str) -> None:
    """Write the new text where SPEC came from: over the file, in one piece, or to standard output for `-`."""
    if spec == "-":
        sys.stdout.write(after)
    elif after != before.text:
        _overwrite(Path(spec).resolve(), after)  # a link stays a link


def _overwrite(path: Path, text: str) -> None:
    from eosdsl.writing import file_in_one_piece

    mode = path.stat().st_mode
    with file_in_one_piece(path) as unfinished:
        unfinished.write_bytes(text.encode())
    if path.stat().st_mode != mode:
        path.chmod(mode)
