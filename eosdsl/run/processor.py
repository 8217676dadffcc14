"""The processor that belongs to a model: tokenizer, image processor, chat template."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eosdsl.diagnostics import SpecError, error


def load_processor(name: str) -> Any:
    """The processor of a model folder or hub id, padding on the left as generation asks.

    Raises:
        SpecError: E0625 where there is none, or not all of it.
    """
    try:
        processor: Any = _load(name)
    except Exception as problem:  # missing, cut off, of an unknown class: each has its own exception
        reason = " ".join(str(problem).split())[:200] or type(problem).__name__
        raise _none(name, reason) from problem
    lacking = [part for part in ("tokenizer", "image_processor") if getattr(processor, part, None) is None]
    if lacking:
        raise _none(name, f"it has no {lacking[0].replace('_', ' ')}")
    processor.tokenizer.padding_side = "left"
    return processor


def _load(name: str) -> Any:
    from transformers import AutoProcessor

    try:
        return AutoProcessor.from_pretrained(name)
    except Exception:
        from eosdsl.run.qwen_processor import load_images_only

        found = _quietly(load_images_only, name)
        if found is None:
            raise
        return found


def _quietly(load: Callable[[str], Any], name: str) -> Any:
    """What a second try gives; None where it fails too, so that the first problem is the one that is told."""
    try:
        return load(name)
    except Exception:
        return None


def _none(name: str, reason: str) -> SpecError:
    lacks = "pip install torchvision" if "torchvision" in reason.lower() else None
    helps = (lacks or "save it beside the weights: processor.save_pretrained(folder)",)
    return SpecError([error("E0625", f"the processor of {name} cannot be loaded: {reason}", helps=helps)])
