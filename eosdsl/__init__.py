"""eosdsl: a language for visual-token reduction. See README.md; the public names below load on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from eosdsl.checking import check as check
    from eosdsl.cost.plan import plan as plan
    from eosdsl.diagnostics import Diagnostic as Diagnostic
    from eosdsl.diagnostics import SpecError as SpecError
    from eosdsl.lowering.artefact import load as load
    from eosdsl.lowering.compile import compile as compile
    from eosdsl.operators.step import apply_step as apply_step
    from eosdsl.parsing import parse as parse
    from eosdsl.searching.search import search as search
    from eosdsl.syntax.format import format_text as format

_HOMES = {
    "parse": ("eosdsl.parsing", "parse"),
    "check": ("eosdsl.checking", "check"),
    "format": ("eosdsl.syntax.format", "format_text"),
    "plan": ("eosdsl.cost.plan", "plan"),
    "compile": ("eosdsl.lowering.compile", "compile"),
    "load": ("eosdsl.lowering.artefact", "load"),
    "search": ("eosdsl.searching.search", "search"),
    "apply_step": ("eosdsl.operators.step", "apply_step"),
    "SpecError": ("eosdsl.diagnostics", "SpecError"),
    "Diagnostic": ("eosdsl.diagnostics", "Diagnostic"),
}

__all__ = ["Diagnostic", "SpecError", "apply_step", "check", "compile", "format", "load", "parse", "plan", "search"]


def __getattr__(name: str) -> Any:
    """Load a public name's home module on first use, so that the language tools never pay for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eosdsl' has no attribute {name!r}")
    module, attribute = _HOMES[name]
    try:
        value = getattr(import_module(module), attribute)
    except ImportError:
        import_module("eosdsl.lowering.versions").refuse_version()  # names may be missing in other versions
        raise
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
