"""Saying no: one error, by name, before any work is done."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

from eosdsl.diagnostics import SpecError, error
from eosdsl.source import Span


def refuse(code: str, message: str, *helps: str, span: Span | None = None) -> NoReturn:
    """Raise a SpecError with this one error."""
    raise SpecError([error(code, message, span, helps=helps)])


def refuse_without_weights(model: Any) -> None:
    """Raise SpecError (E0435) for a model on the meta device, unless accelerate brings its weights when they are
    needed.
    """
    if next(model.parameters()).is_meta and not is_offloaded(model):
        refuse(
            "E0435",
            "the model has no weights: it was built from its configuration alone",
            "compile for a folder or a hub id to run it",
        )


def is_offloaded(model: Any) -> bool:
    """Whether accelerate has hooks in the model, which bring weights from main memory or disk."""
    return any(hasattr(module, "_hf_hook") for module in model.modules())


def refuse_devices(layers: Iterable[Any]) -> None:
    """Raise SpecError (E0457) where layers run on several devices."""
    places = sorted({str(place) for layer in layers if (place := _place(layer)) is not None})
    if len(places) > 1:
        refuse(
            "E0457",
            f"a space is open on one device, and the layers lie on several: {', '.join(places)}",
            "load the model on one device; an operator runs over several",
        )


def _place(layer: Any) -> Any:
    """Where a layer computes, None where it does not say."""
    hook = getattr(layer, "_hf_hook", None)
    for one in getattr(hook, "hooks", (hook,)):
        place = getattr(one, "execution_device", None)
        if place is not None:
            return f"cuda:{place}" if isinstance(place, int) else place
    weight = next(layer.parameters(), None)
    return None if weight is None or weight.is_meta else weight.device
