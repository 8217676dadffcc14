"""Entry points, read straight from the installed packages' folders.

`importlib.metadata` gives the same, but importing it and asking it once for each of our groups costs more time than
checking a spec; here the folders are looked through once.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

_PREFIX = "eosdsl."
_SECTION = re.compile(r"^\[(?P<group>[^\]]+)\]$")


@dataclass(frozen=True)
class EntryPoint:
    """One row: in `group`, `name` stands for `value` (`module:attribute`), offered by `package`."""

    name: str
    value: str
    group: str
    package: str = ""

    def load(self) -> Any:
        """The object that is named. Raises what importing it raises."""
        module, _, attributes = self.value.partition(":")
        found: Any = import_module(module)
        for attribute in attributes.split(".") if attributes else ():
            found = getattr(found, attribute)
        return found


def entry_points(*, group: str) -> tuple[EntryPoint, ...]:
    """The rows of one of eosdsl's groups (`eosdsl.scores`), of all packages that can be imported."""
    return tuple(point for point in _all(tuple(sys.path)) if point.group == group)


@cache
def _all(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    return tuple(point for package, text in _tables(path) for point in _rows(package, text))


def _tables(path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Packages with entry points of ours and their tables; of two with one name the first on the path counts."""
    seen: set[str] = set()
    for folder in path:
        for entry in _entries(folder or "."):
            if not entry.endswith((".dist-info", ".egg-info")):
                continue
            package = re.sub(r"[-_.]+", "-", entry.rpartition(".")[0].partition("-")[0]).lower()
            if package in seen:
                continue
            seen.add(package)
            text = _text(Path(folder or ".", entry, "entry_points.txt"))
            if _PREFIX in text:
                yield package, text


def _entries(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))  # noqa: PTH208 pathlib would build an object for every file
    except OSError:
        return []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _rows(package: str, text: str) -> Iterator[EntryPoint]:
    group = ""
    for line in map(str.strip, text.splitlines()):
        section = _SECTION.match(line)
        if section is not None:
            group = section["group"].strip()
        elif group.startswith(_PREFIX) and "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            yield EntryPoint(name.strip(), value.partition("[")[0].strip(), group, package)
