"""Running a command again whenever one of its files changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eosdsl.cli.specs import expand

PAUSE = 0.3  # seconds between two looks at the files


def watch(arguments: Sequence[str], run: Callable[[], object]) -> None:
    """Run once, then again after every change below the arguments, until interrupted."""
    seen: dict[str, tuple[int, int]] | None = None
    try:
        while True:
            now = _snapshot(arguments)
            if now != seen:
                _clear()
                run()
                sys.stdout.flush()
                seen = now
            time.sleep(PAUSE)
    except KeyboardInterrupt:
        return


def _snapshot(arguments: Sequence[str]) -> dict[str, tuple[int, int]]:
    """When each file was changed and how long it is; a file that is not there is left out."""
    stamps: dict[str, tuple[int, int]] = {}
    for name in expand(arguments):
        try:
            stat = Path(name).stat()
        except (OSError, ValueError):
            continue
        stamps[name] = (stat.st_mtime_ns, stat.st_size)
    return stamps


def _clear() -> None:
    if sys.stdout.isatty():
        sys.stdout.write("\x1b[2J\x1b[H")
