"""A model, its facts and its processor, by folder or hub id."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from eosdsl.models.find import find_model
from eosdsl.models.registry import facts_of_config
from eosdsl.run.processor import load_processor

if TYPE_CHECKING:
    from eosdsl.models.facts import ModelFacts


def load(model: str, dtype: str | None = None, device: str | None = None) -> tuple[str, ModelFacts, Any, Any]:
    """Where the weights are, the facts, the model, the processor.

    Raises:
        SpecError: E0435 for a model without weights, E0625 for one without a processor, E064x, E065x.
    """
    from eosdsl.lowering.loading import load_model

    found = find_model(model)
    place = found.weights()
    processor = load_processor(place)
    return (
        place,
        facts_of_config(found.config, found.name),
        load_model(model, dtype=dtype, device=device),
        processor,
    )
