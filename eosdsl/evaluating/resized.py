"""A method moved to a model of another size: the same place in depth, the same share of tokens and of heads.

A spec such as FastV's was written for LLaVA-1.5-7B: 32 decoder layers, 576 visual tokens, 32 heads. On a model with
eight layers its layer 2 is at a sixteenth of the depth, which is layer 1 (rounded to the nearest, halves upwards; never
to layer 0, which has no attention before it). Layers that differ stay apart while the model has as many. What counts
tokens or heads in absolute numbers is scaled likewise and rounded up; one token stays one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from math import ceil, floor
from typing import Literal

from eosdsl.ir.nodes import (
    Amount,
    Budget,
    DiscreteProgram,
    LayerRef,
    Product,
    ScoreExpr,
    Step,
    Sum,
    Weighted,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Node, Quantity
from eosdsl.models.facts import ModelFacts

Tokens = Literal["rounded", "exact", "kept"]
"""What becomes of numbers of tokens: scaled and rounded up, scaled only, or left as they are."""


def resized(
    program: DiscreteProgram, home: ModelFacts, model: ModelFacts, *, tokens: Tokens = "rounded"
) -> DiscreteProgram:
    """The program as it would have been written for `model`, had its author had that instead of `home`.

    Args:
        program: written for `home`.
        tokens: what becomes of numbers of tokens; `exact` leaves fractions of tokens, for who rounds later.
    """
    moved = {stream: _places(program, stream, home, model) for stream in ("decoder", "encoder")}
    heads = Fraction(model.decoder.heads, home.decoder.heads)
    steps: list[Step] = []
    for step in program.steps:
        share = Fraction(1) if tokens == "kept" else _token_share(step.where, home, model)
        one = _step(step, moved.get(step.where.stream, {}), share, heads)
        steps.append(_rounded(one) if tokens == "rounded" else one)
    return program.model_copy(update={"steps": tuple(steps), "expectations": ()})


def _token_share(where: Where, home: ModelFacts, model: ModelFacts) -> Fraction:
    if where.stream == "decoder":
        return Fraction(model.visual_tokens, home.visual_tokens)
    return Fraction(model.patches, home.patches)


def _places(program: DiscreteProgram, stream: str, home: ModelFacts, model: ModelFacts) -> Mapping[int, int]:
    """Where every layer that the program names goes, for one stream."""
    steps = [step for step in program.steps if step.where.stream == stream]
    named = sorted({ref.index for step in steps for ref in step.where.layers if ref.index is not None})
    if not named:
        return {}
    first = 0 if all(step.where.after_attention for step in steps) else 1
    return placed(named, _depth(stream, home), _depth(stream, model), first)


def _depth(stream: str, facts: ModelFacts) -> int:
    if stream == "decoder":
        return facts.decoder.layers
    return facts.encoder.layers_run if facts.encoder else 1


def placed(layers: Iterable[int], depth: int, new_depth: int, first: int = 1) -> dict[int, int]:
    """Ascending `layers` of `depth` on a stack of `new_depth`: nearest, in order, apart where there is room.

    Layer 0 stays 0; others do not go below `first`.
    """
    named = list(layers)
    near = [_nearest(layer, depth, new_depth, first) for layer in named]
    apart = list(near)
    for i in range(1, len(apart)):
        apart[i] = max(apart[i], apart[i - 1] + 1)
    limit = new_depth
    for i in reversed(range(len(apart))):
        apart[i] = min(apart[i], limit - 1)
        limit = apart[i]
    fits = all(new >= min(first, old) for old, new in zip(named, apart, strict=True))
    return dict(zip(named, apart if fits else near, strict=True))


def _nearest(layer: int, depth: int, new_depth: int, first: int) -> int:
    scaled = floor(Fraction(layer * new_depth, depth) + Fraction(1, 2))
    least = first if layer else 0
    return min(max(scaled, least), new_depth - 1)


def _step(step: Step, moved: Mapping[int, int], share: Fraction, heads: Fraction) -> Step:
    where = _where(step.where, moved)
    groups = tuple(
        group.model_copy(
            update={
                "budget": _mapped_amounts(group.budget, lambda amount: _scaled(amount, share)),
                "score": None if group.score is None else _heads(group.score, heads),
            }
        )
        for group in step.groups
    )
    return step.model_copy(update={"where": where, "groups": groups})


def _rounded(step: Step) -> Step:
    """The step with whole numbers of tokens."""
    groups = tuple(
        group.model_copy(update={"budget": _mapped_amounts(group.budget, _round_up)}) for group in step.groups
    )
    return step.model_copy(update={"groups": groups})


def _round_up(amount: Amount) -> Amount:
    value = amount.value
    if not isinstance(value, Quantity) or value.unit != "tokens":
        return amount
    return amount.model_copy(update={"value": value.model_copy(update={"value": Fraction(ceil(value.value))})})


def _where(where: Where, moved: Mapping[int, int]) -> Where:
    layers = [_layer(ref, moved) for ref in where.layers]
    if not where.gradual:
        layers = list(dict.fromkeys(layers))
    return where.model_copy(update={"layers": tuple(layers)})


def _layer(ref: LayerRef, moved: Mapping[int, int]) -> LayerRef:
    return ref if ref.index is None else LayerRef(index=moved[ref.index])


def _mapped_amounts(budget: Budget, change: Callable[[Amount], Amount]) -> Budget:
    amounts = tuple(change(amount) for amount in budget.amounts)
    start = None if budget.start is None else change(budget.start)
    return budget.model_copy(update={"amounts": amounts, "start": start})


def _scaled(amount: Amount, share: Fraction) -> Amount:
    value = amount.value
    if not isinstance(value, Quantity) or value.unit != "tokens" or value.value <= 1:
        return amount
    scaled = value.model_copy(update={"value": value.value * share})
    return amount.model_copy(update={"value": scaled})


def _heads(score: ScoreExpr, share: Fraction) -> ScoreExpr:
    """The score with every `heads: top(n)` scaled."""
    changed = _mapped(score, share)
    assert isinstance(changed, Call | Weighted | Sum | Product)
    return changed


def _mapped(node: Node, share: Fraction) -> Node:
    if isinstance(node, Argument) and _is_top_heads(node):
        return _scaled_top(node, share)
    changed: dict[str, object] = {}
    for name, value in node.__dict__.items():
        if isinstance(value, Node) and name != "span":
            changed[name] = _mapped(value, share)
        elif isinstance(value, tuple):
            changed[name] = tuple(_mapped(one, share) if isinstance(one, Node) else one for one in value)
    return node.model_copy(update=changed)


def _is_top_heads(argument: Argument) -> bool:
    return argument.name == "heads" and isinstance(argument.value, Call) and argument.value.name == "top"


def _scaled_top(argument: Argument, share: Fraction) -> Argument:
    assert isinstance(argument.value, Call)
    inner = tuple(_scaled_number(one, share) for one in argument.value.arguments)
    return argument.model_copy(update={"value": argument.value.model_copy(update={"arguments": inner})})


def _scaled_number(argument: Argument, share: Fraction) -> Argument:
    value = argument.value
    if not isinstance(value, Quantity):
        return argument
    return argument.model_copy(
        update={"value": value.model_copy(update={"value": Fraction(ceil(value.value * share))})}
    )
