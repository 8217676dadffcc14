"""Saying no: one error, by name, before any work is done."""

from __future__ import annotations

from typing import NoReturn

from eosdsl.diagnostics import SpecError, error
from eosdsl.source import Span


def refuse(code: str, message: str, *helps: str, span: Span | None = None) -> NoReturn:
    """Raise a SpecError with this one error."""
    raise SpecError([error(code, message, span, helps=helps)])
