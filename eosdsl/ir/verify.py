"""What every program must hold, wherever it came from: a spec, a JSON file, a pass, or code that builds nodes.

The language's own checks stop a spec before it gets here; `verify` is for the other doors, and for tests of passes.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.ir.nodes import (
    Amount,
    Budget,
    Constraint,
    DiscreteProgram,
    LayerRef,
    Mix,
    RelaxedProgram,
    Step,
    Where,
)
from eosdsl.ir.quantities import Node, Open, Quantity
from eosdsl.ir.walk import walk

CODES = {
    "E0280": """An operator holds an open value.

    `DiscreteProgram` promises that nothing is left open. Derive an operator from the space, or decide the value.
    """,
    "E0281": """The shares of a mix are more than the whole, or less than nothing.

    Each share is between 0 and 1, and together they are at most 1: content cannot be given away twice.
    """,
    "E0282": """A site that is none.

    A step names layers (an index from 0, or a depth between 0% and 100%), except at the encoder's output, which has
    none; a gradual range has two ends, the first not after the last; `any n..m of` chooses among enough layers.
    """,
    "E0283": """A budget that is none.

    A ratio is at most 100%; a number of tokens is whole; nothing is not retained; a list has one amount a layer; a
    curve belongs to one amount over several layers.
    """,
    "E0284": """A constraint that cannot be compared.

    The bound's unit does not fit what is measured, or it is below zero.
    """,
    "E0285": """The program is in a version of the language that this release does not know.

    Only `eos 1` exists. A program of a later language has to be written again for this one, or run by a later release.
    """,
    "E0286": """A step without a group.

    Every `at` statement says how many tokens are retained; a step must hold at least one group.
    """,
}

LANGUAGES = (1,)


def verify(program: DiscreteProgram | RelaxedProgram) -> list[Diagnostic]:
    """The invariants that the program breaks; empty where it is sound."""
    found = list(_nodes(program))
    if program.language not in LANGUAGES:
        found.append(error("E0285", f"language version {program.language} is not known", program.span))
    for step in program.steps:
        found.extend(_step(step))
    return found


def _nodes(program: DiscreteProgram | RelaxedProgram) -> Iterator[Diagnostic]:
    discrete = isinstance(program, DiscreteProgram)
    for node in walk(program):
        if isinstance(node, Open) and discrete:
            yield error("E0280", "an operator holds an open value", node.span)
        elif isinstance(node, Mix):
            yield from _mix(node)
        elif isinstance(node, LayerRef):
            yield from _layer(node)
        elif isinstance(node, Constraint) and node.bound.value < 0:
            yield error("E0284", "a constraint is bounded below zero", node.span)


def _mix(mix: Mix) -> Iterator[Diagnostic]:
    shares = [part.share.value for part in mix.parts if isinstance(part.share, Quantity)]
    if not mix.parts:
        yield error("E0281", "a mix has no parts", mix.span)
    if any(not 0 <= share <= 1 for share in shares):
        yield error("E0281", "a share of a mix is not between 0 and 1", mix.span)
    elif sum(shares) > 1:
        yield error("E0281", f"the shares of a mix add up to {sum(shares)}, more than 1", mix.span)


def _amount(amount: Amount, *, least: bool) -> Iterator[Diagnostic]:
    """A ratio up to 1, or whole tokens; with `least`, not zero."""
    value = amount.value
    if not isinstance(value, Quantity):
        return
    if value.unit == "ratio" and not 0 <= value.value <= 1:
        yield error("E0283", f"a ratio of {value.value} is not between 0 and 1", amount.span)
    elif value.unit == "tokens" and (value.value < 0 or value.value.denominator != 1):
        yield error("E0283", f"{value.value} tokens is not a whole number of tokens", amount.span)
    elif least and value.value == 0:
        yield error("E0283", "a budget retains nothing", amount.span)
    elif value.unit not in ("ratio", "tokens"):
        yield error("E0283", f"a budget is a ratio or a number of tokens, not {value.unit}", amount.span)


def _layer(layer: LayerRef) -> Iterator[Diagnostic]:
    if (layer.index is None) == (layer.depth is None):
        yield error("E0282", "a layer is named by an index or by a depth, one of them", layer.span)
    elif layer.index is not None and layer.index < 0:
        yield error("E0282", f"layer {layer.index} is below 0", layer.span)
    elif layer.depth is not None and not 0 <= layer.depth <= Fraction(1):
        yield error("E0282", f"a depth of {layer.depth} is not between 0 and 1", layer.span)


def _step(step: Step) -> Iterator[Diagnostic]:
    if not step.groups:
        yield error("E0286", "a step has no group", step.span)
    yield from _where(step.where)
    for group in step.groups:
        yield from _budget(group.budget, step.where)


def _where(where: Where) -> Iterator[Diagnostic]:
    layers = where.layers
    if where.stream == "encoder_output":
        if layers or where.gradual or where.choose or where.after_attention:
            yield error("E0282", "the encoder's output has no layers", where.span)
        return
    if not layers:
        yield error("E0282", "a site names no layer", where.span)
    if where.gradual and not _is_range(layers):
        yield error("E0282", "a gradual range needs two ends, the first not after the last", where.span)
    if where.choose is not None and not 0 <= where.choose[0] <= where.choose[1] <= len(layers):
        low, high = where.choose
        yield error("E0282", f"{low} to {high} of {len(layers)} layers cannot be chosen", where.span)


def _is_range(layers: tuple[LayerRef, ...]) -> bool:
    """Two ends; indices (or depths) in order. An index and a depth cannot be compared without a model."""
    if len(layers) != 2:
        return False
    first, last = layers
    if first.index is not None and last.index is not None:
        return first.index <= last.index
    if first.depth is not None and last.depth is not None:
        return first.depth <= last.depth
    return True


def _budget(budget: Budget, where: Where) -> Iterator[Diagnostic]:
    count = len(budget.amounts)
    if count == 0:
        yield _bad_budget("a budget has no amount", budget)
    if count > 1 and (where.gradual or where.choose is not None or count != len(where.layers)):
        yield _bad_budget(f"a list of {count} amounts needs as many layers", budget)
    for amount in budget.amounts:
        yield from _amount(amount, least=budget.verb == "retain")
    if budget.start is not None:
        yield from _amount(budget.start, least=False)
    if (budget.start is not None or budget.curve is not None) and (len(where.layers) < 2 or count != 1):
        yield _bad_budget("a curve needs several layers and one amount", budget)


def _bad_budget(message: str, node: Node) -> Diagnostic:
    return error("E0283", message, node.span)
