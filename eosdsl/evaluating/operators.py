"""Operators to evaluate, from text: a space has no one accuracy."""

from __future__ import annotations

from collections.abc import Mapping

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.parsing import parse_source
from eosdsl.source import SourceFile


def operator_of(source: SourceFile, settings: Mapping[str, str] | None = None) -> DiscreteProgram:
    """The operator of a spec. Raises SpecError: what is wrong with it, E0443 where it is a space."""
    program = parse_source(source, settings=settings)
    if isinstance(program, DiscreteProgram):
        return program
    message = f"{program.name} is a space: some of its values are open"
    raise SpecError([error("E0443", message, program.span, helps=("search it, or decide every `?`",))], source)
