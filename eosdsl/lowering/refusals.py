"""Saying no: one error, by name, before any work is done."""

from __future__ import annotations

from typing import NoReturn

from eosdsl.diagnostics import SpecError, error


def refuse(code: str, message: str, *helps: str) -> NoReturn:
    """Raise a SpecError with this one error."""
    raise SpecError([error(code, message, helps=helps)])
