"""Specs in short: a text bound to a model."""

from __future__ import annotations

from functools import cache

from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.schedule import Schedule
from eosdsl.models.facts import ModelFacts
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.passes.bind import bind

SIGLIP = {
    "model_type": "llava",
    "text_config": {"model_type": "llama", "num_hidden_layers": 4},
    "vision_config": {"model_type": "siglip_vision_model", "image_size": 224, "patch_size": 16},
    "vision_feature_layer": -1,
    "vision_feature_select_strategy": "full",
}


def program_of(text: str) -> DiscreteProgram:
    program = parse(text if "\n" in text else text + "\n")
    assert isinstance(program, DiscreteProgram)
    return program


@cache
def known(model: str) -> ModelFacts:
    return facts(SIGLIP if model == "siglip" else model)


def bound(text: str, model: str = "llava") -> Schedule:
    schedule, found = bind(program_of(text), known(model))
    assert schedule is not None, found
    return schedule


def findings(text: str, model: str = "llava") -> list[Diagnostic]:
    """All findings of binding, information left out."""
    return [d for d in bind(program_of(text), known(model))[1] if d.code[0] != "I"]


def codes(text: str, model: str = "llava") -> list[str]:
    return [d.code for d in findings(text, model)]
