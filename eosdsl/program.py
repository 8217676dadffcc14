"""From a text that has been read to its program; every finding that is an error is raised, with the source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from eosdsl.diagnostics import SpecError
from eosdsl.source import SourceFile

if TYPE_CHECKING:
    from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram


def program_of(
    source: SourceFile, *, settings: Mapping[str, str] | None = None, allow_outside: bool = False
) -> DiscreteProgram | RelaxedProgram:
    """The typed program of a source. Raises SpecError with all errors, carrying the source."""
    from eosdsl.passes.resolve import resolve
    from eosdsl.syntax.parse import parse_syntax

    file, found = parse_syntax(source)
    errors = [d for d in found if d.is_error]
    if file is None or errors:
        raise SpecError(errors, source)
    program, found = resolve(file, source, settings=settings or {}, allow_outside=allow_outside)
    errors = [d for d in found if d.is_error]
    if program is None or errors:
        raise SpecError(errors, source)
    return program
