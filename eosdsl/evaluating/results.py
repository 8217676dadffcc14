"""An evaluation as JSON: what `summary.json` holds."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eosdsl.evaluating.evaluate import Evaluation

_DIGITS = 6


def as_json(made: Evaluation) -> dict[str, Any]:
    """Everything but the single answers. Shares are between 0 and 1, times in seconds, memory in bytes."""
    return {
        "eos_summary": 1,
        "model": made.model,
        "random_weights": made.random_weights,
        "visual_tokens": made.visual_tokens,
        "text_tokens": made.text_tokens,
        "image_tasks": list(made.image_tasks),
        "settings": made.settings,
        "origin": made.origin,
        "sides": [
            {
                "side": side.name,
                "method": side.method,
                "budget": side.budget,
                "kind": side.kind,
                "tokens_planned": side.tokens,
                "turned": side.said,
                "spec": side.spec,
                "cost": _rounded(asdict(made.costs[side.name])),
            }
            for side in made.sides
        ],
        "unreached": [asdict(gap) for gap in made.gaps],
        "cells": [_rounded(asdict(cell)) for cell in made.cells],
        "speeds": [_rounded(asdict(speed)) for speed in made.speeds],
        "skipped": [one.message for one in made.skipped],
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: round(value, _DIGITS)
        if isinstance(value, float)
        else _rounded(value)
        if isinstance(value, dict)
        else value
        for key, value in values.items()
    }
