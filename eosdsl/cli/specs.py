"""Which specs a command line means: files as they are named, and every `.eos` file below a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path


def expand(arguments: Sequence[str]) -> list[str]:
    """Files and `-` in the order given, each once; a folder stands for its `.eos` files, sorted."""
    seen: dict[str, None] = {}
    for argument in arguments:
        for name in _specs(argument):
            seen.setdefault(name)
    return list(seen)


def _specs(argument: str) -> Iterator[str]:
    folder = Path(argument)
    if argument == "-" or not folder.is_dir():
        yield argument
        return
    for file in sorted(folder.rglob("*.eos")):
        inside = file.relative_to(folder)
        if not any(part.startswith(".") or part == "node_modules" for part in inside.parts):
            yield str(file)
