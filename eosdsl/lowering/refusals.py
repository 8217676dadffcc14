"""Saying no: one error, by name, before any work is done."""

from __future__ import annotations

from typing import Any, NoReturn

from eosdsl.diagnostics import SpecError, error
from eosdsl.source import Span


def refuse(code: str, message: str, *helps: str, span: Span | None = None) -> NoReturn:
    """Raise a SpecError with this one error."""
    raise SpecError([error(code, message, span, helps=helps)])


def refuse_without_weights(model: Any) -> None:
    """Raise SpecError (E0435) for a model on the meta device."""
    if next(model.parameters()).is_meta:
        refuse(
            "E0435",
            "the model has no weights: it was built from its configuration alone",
            "compile for a folder or a hub id to run it",
        )
