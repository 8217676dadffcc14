"""A spec for a decoder that needs its image longer: every place behind the first layer some layers later."""

from __future__ import annotations

from eosdsl.ir.nodes import DiscreteProgram, LayerRef, Step


def later(program: DiscreteProgram, layers: int) -> DiscreteProgram:
    """The program with its places in the decoder so many layers later; those at layer 0 stay, where tokens come in.
    What it promises of its cost is left out: it was counted on another model."""
    steps = tuple(_moved(step, layers) for step in program.steps)
    return program.model_copy(update={"steps": steps, "expectations": ()})


def _moved(step: Step, layers: int) -> Step:
    if step.where.stream != "decoder":
        return step
    places = tuple(_place(one, layers, step.where.after_attention) for one in step.where.layers)
    return step.model_copy(update={"where": step.where.model_copy(update={"layers": places})})


def _place(place: LayerRef, layers: int, after_attention: bool) -> LayerRef:
    if place.index is None or (place.index == 0 and not after_attention):
        return place
    return place.model_copy(update={"index": place.index + layers})
