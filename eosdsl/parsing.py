"""`eosdsl.parse`: a file or a text, as a typed program."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from eosdsl.diagnostics import SpecError
from eosdsl.source import SourceFile

if TYPE_CHECKING:
    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram


def parse(
    path_or_text: str | Path,
    *,
    settings: Mapping[str, str] | None = None,
    allow_outside: bool = False,
) -> DiscreteProgram | RelaxedProgram:
    """The program of a spec.

    Args:
        path_or_text: a `Path` is a file; a `str` is text unless it ends in `.eos` and has no newline.
        settings: values for the spec's params, as text (`{"budget": "16"}`).
        allow_outside: let `use` take in files outside the spec's own folder.

    Raises:
        SpecError: with every diagnostic, where the spec has errors or cannot be read.
    """
    return parse_source(source_of(path_or_text), settings=settings, allow_outside=allow_outside)


def parse_source(
    source: SourceFile, *, settings: Mapping[str, str] | None = None, allow_outside: bool = False
) -> DiscreteProgram | RelaxedProgram:
    """The program of a text that has been read; raises as `parse`."""
    from eosdsl.passes.resolve import resolve
    from eosdsl.syntax.parse import parse_syntax

    file, found = parse_syntax(source)
    if file is None:
        raise SpecError(found, source)
    program, more = resolve(file, source, settings=settings, allow_outside=allow_outside)
    found = [*found, *more]
    if program is None or any(problem.is_error for problem in found):
        raise SpecError(found, source)
    return program


def source_of(path_or_text: str | Path) -> SourceFile:
    """The text that is meant; raises SpecError (E060x) where a file cannot be read."""
    from eosdsl.reading import read_source

    if isinstance(path_or_text, Path):
        return read_source(path_or_text)
    if path_or_text.endswith(".eos") and "\n" not in path_or_text:
        return read_source(Path(path_or_text))
    return SourceFile("<text>", path_or_text)
