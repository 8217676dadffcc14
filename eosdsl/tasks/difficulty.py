"""Difficulty as it is written on the command line: `medium`, or `hard,clutter=0.5,objects=4-8`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.tasks.base import LEVELS, Difficulty

_WHOLE: Mapping[str, tuple[int, int]] = {"images": (2, 9), "canvas": (12, 96)}
_SPANS: Mapping[str, tuple[int, int]] = {"objects": (1, 24), "length": (1, 6)}
_SHARES: Mapping[str, tuple[float, float]] = {"small": (0, 1), "clutter": (0, 1), "contrast": (0.1, 1)}
FIELDS = (*_SPANS, *_SHARES, *_WHOLE)


def parse_difficulty(text: str) -> Difficulty:
    """A level, and after commas what is to differ from it. Raises SpecError (E0683)."""
    level, *changes = (part.strip() for part in text.split(","))
    if level not in LEVELS:
        raise _refused(f"there is no difficulty `{level}`", f"known: {', '.join(LEVELS)}")
    return replace(LEVELS[level], **dict(map(_change, changes)))


def _change(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if name not in FIELDS:
        close = get_close_matches(name, FIELDS, n=1)
        raise _refused(
            f"difficulty has no `{name}`", f"did you mean `{close[0]}`?" if close else f"known: {', '.join(FIELDS)}"
        )
    low, high = {**_WHOLE, **_SPANS, **_SHARES}[name]
    try:
        made = _value(name, value)
    except ValueError:
        raise _refused(f"`{value}` is no value of `{name}`", f"{_example(name)}, from {low:g} to {high:g}") from None
    ends = made if isinstance(made, tuple) else (made, made)
    if not low <= ends[0] <= ends[1] <= high:
        raise _refused(f"`{name}` cannot be {value}", f"{_example(name)}, from {low:g} to {high:g}")
    if name == "canvas" and int(ends[0]) % 2:
        raise _refused(f"`canvas` cannot be {value}", "an even number of cells")
    return name, made


def _value(name: str, text: str) -> Any:
    if name in _SHARES:
        return float(text)
    if name in _WHOLE:
        return int(text)
    low, dash, high = text.partition("-")
    return int(low), int(high if dash else low)


def _example(name: str) -> str:
    return {"canvas": "canvas=24", "images": "images=3"}.get(name, f"{name}=2-4" if name in _SPANS else f"{name}=0.5")


def _refused(message: str, remedy: str) -> SpecError:
    return SpecError([error("E0683", message, helps=(remedy,))])
