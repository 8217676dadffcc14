"""What transformers calls the cache: `past_key_values` until 5.23, `cache` from 5.24 on."""

from __future__ import annotations

from inspect import signature
from typing import Any

from transformers.masking_utils import create_causal_mask

OLD = "past_key_values"
CACHE = "cache" if "cache" in signature(create_causal_mask).parameters else OLD
"""The keyword by which models, layers and masks take a cache, and the field of outputs that holds it."""


def by_its_name(arguments: dict[str, Any]) -> dict[str, Any]:
    """Keywords with the cache under the installed version's name for it; the older name goes on being taken."""
    if CACHE == OLD or OLD not in arguments:
        return arguments
    return {CACHE if name == OLD else name: value for name, value in arguments.items()}


def cache_of(output: Any) -> Any:
    """The cache of what a model or `generate` gave."""
    return getattr(output, CACHE)
