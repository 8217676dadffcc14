"""What of a method may be turned to meet a budget, and nothing else: its places, scores and behaviours stay.

A knob is a row of programs, from the one that keeps fewest tokens to the one that keeps most. A method has one:

- `param budget`: that parameter, token by token, as `--set budget=…` would set it;
- a pick that brings its own number (`grid(2x2)`): its window, and the `within: window(…)` that belongs to it;
- nothing but `remove all`: the layer at which that happens;
- else the amounts, all by one factor t: what is retained times t, what a `remove` leaves over times t (`remove n
  tokens`: n divided by t). Lists of layers, ranges and groups keep their proportions. One token stays one token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import ceil, floor

from eosdsl.evaluating.operators import operator_of
from eosdsl.evaluating.resized import resized
from eosdsl.ir.nodes import Amount, Budget, DiscreteProgram, Group, LayerRef, Step
from eosdsl.ir.quantities import Argument, Call, Dims, Node, Quantity, Word
from eosdsl.ir.walk import find
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.binding import bind_call
from eosdsl.source import SourceFile

_FINE = 4
"""Steps of t for every visual token of an image."""
_MOST = 64
"""The largest t; amounts stop at 100% anyway."""
_PRINTED = 10_000
"""Ratios are multiples of a hundredth of a percent."""


@dataclass(frozen=True, slots=True)
class Knob:
    """Programs 1 to `size`, by rising numbers of tokens; `said(i)`: what was turned, in words or as an option."""

    name: str
    size: int
    program: Callable[[int], DiscreteProgram]
    said: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A method without a knob, with the reason."""

    reason: str


UNTRAINED = "it needs scores that are learned, and nobody has trained them for this model"


def asks_learned(program: DiscreteProgram) -> bool:
    """Whether some score of it is learned."""
    return any(call.name == "learned" for call in find(program, Call))


def knob(source: SourceFile, home: ModelFacts | None, model: ModelFacts, *, trained: bool = False) -> Knob | Fixed:
    """The knob of a spec on a model; `home`: the model it was written for, None where it was written for this one;
    `trained`: its learned scores have their numbers.

    Raises:
        SpecError: what is wrong with the spec.
    """
    program = _fitted(source, {}, home, model)
    groups = [group for step in program.steps for group in step.groups]
    if asks_learned(program) and not trained:
        return Fixed(UNTRAINED)
    if any(isinstance(amount.value, Call) for group in groups for amount in group.budget.amounts):
        return Fixed("the image decides how many tokens stay: there is no number to set")
    if any(_own_number(group.pick, model) for group in groups):
        return _window_knob(program, model)
    if _has_budget_param(source):
        return _param_knob(source, home, model)
    if all(_is_all(amount) for group in groups for amount in group.budget.amounts):
        return _layer_knob(program, model)
    return _amounts_knob(program, model)


def _fitted(
    source: SourceFile, settings: dict[str, str], home: ModelFacts | None, model: ModelFacts
) -> DiscreteProgram:
    program = operator_of(source, settings)
    return program if home is None else resized(program, home, model, tokens="kept" if settings else "exact")


def _has_budget_param(source: SourceFile) -> bool:
    from eosdsl.syntax import tree
    from eosdsl.syntax.parse import parse_syntax

    file, _ = parse_syntax(source)
    return file is not None and any(
        isinstance(one, tree.Param) and one.name.text == "budget" for one in file.statements
    )


def _param_knob(source: SourceFile, home: ModelFacts | None, model: ModelFacts) -> Knob:
    def program(number: int) -> DiscreteProgram:
        return _fitted(source, {"budget": f"{number} tokens"}, home, model)

    return Knob("param budget", model.visual_tokens, program, lambda number: f"--set 'budget={number} tokens'")


def _own_number(pick: Call | Node, model: ModelFacts) -> bool:
    if not isinstance(pick, Call):
        return False
    bound, _ = bind_call("picks", pick)
    return bound is not None and bound.own_count(model.visual_tokens, model.grid) is not None


def _window_knob(program: DiscreteProgram, model: ModelFacts) -> Knob | Fixed:
    if model.grid is None:
        return Fixed("the grid of this model's tokens depends on the image")
    rows, columns = model.grid
    cut = [Dims(rows=r, columns=c) for r, c in product(_divisors(rows), _divisors(columns))]
    by_tokens: dict[int, Dims] = {}
    for dims in cut:
        tokens = (rows // dims.rows) * (columns // dims.columns)
        best = by_tokens.get(tokens)
        if best is None or abs(dims.rows - dims.columns) < abs(best.rows - best.columns):
            by_tokens[tokens] = dims
    windows = [by_tokens[tokens] for tokens in sorted(by_tokens)]
    picked = [argument.value for group in _groups(program) for argument in find(group.pick, Argument)]
    old = next(value for value in picked if isinstance(value, Dims))

    def turned(number: int) -> DiscreteProgram:
        new = windows[number - 1]
        return _rebuilt(program, lambda node: new if node == old else node)

    return Knob("window", len(windows), turned, lambda n: f"windows of {windows[n - 1].rows}x{windows[n - 1].columns}")


def _divisors(number: int) -> list[int]:
    return [one for one in range(1, number + 1) if number % one == 0]


def _layer_knob(program: DiscreteProgram, model: ModelFacts) -> Knob | Fixed:
    refs = [ref for step in program.steps for ref in step.where.layers]
    if len(refs) != 1 or program.steps[0].where.stream != "decoder":
        return Fixed("everything is removed at several places: there is no one layer to move")

    def turned(number: int) -> DiscreteProgram:
        ref = LayerRef(index=number)
        step = program.steps[0]
        where = step.where.model_copy(update={"layers": (ref,)})
        return program.model_copy(update={"steps": (step.model_copy(update={"where": where}),)})

    return Knob("layer", model.decoder.layers - 1, turned, lambda number: f"all removed at layer {number}")


def _amounts_knob(program: DiscreteProgram, model: ModelFacts) -> Knob:
    fine = _FINE * model.visual_tokens

    def turned(number: int) -> DiscreteProgram:
        factor = Fraction(number, fine)
        return program.model_copy(update={"steps": tuple(_step(step, factor) for step in program.steps)})

    return Knob("amounts", fine * _MOST, turned, lambda number: f"amounts times {float(Fraction(number, fine)):.4g}")


def _step(step: Step, factor: Fraction) -> Step:
    return step.model_copy(update={"groups": tuple(_group(group, factor) for group in step.groups)})


def _group(group: Group, factor: Fraction) -> Group:
    amounts = tuple(_amount(amount, group.budget, factor) for amount in group.budget.amounts)
    return group.model_copy(update={"budget": group.budget.model_copy(update={"amounts": amounts})})


def _amount(amount: Amount, budget: Budget, factor: Fraction) -> Amount:
    value = amount.value
    if not isinstance(value, Quantity) or (value.unit == "tokens" and value.value == 1):
        return amount
    turned = _retained(value, factor) if budget.verb == "retain" else _removed(value, factor)
    return amount.model_copy(update={"value": value.model_copy(update={"value": turned})})


def _retained(value: Quantity, factor: Fraction) -> Fraction:
    """Rounded down, so that a budget is met from below; a little always stays."""
    if value.unit == "tokens":
        return Fraction(max(floor(value.value * factor), 1))
    return max(Fraction(floor(min(value.value * factor, 1) * _PRINTED), _PRINTED), Fraction(1, _PRINTED))


def _removed(value: Quantity, factor: Fraction) -> Fraction:
    if value.unit == "tokens":
        return Fraction(ceil(value.value / factor))
    left = min((1 - value.value) * factor, Fraction(1))
    return 1 - Fraction(floor(left * _PRINTED), _PRINTED)


def _is_all(amount: Amount) -> bool:
    return isinstance(amount.value, Word) and amount.value.name == "all"


def _groups(program: DiscreteProgram) -> list[Group]:
    return [group for step in program.steps for group in step.groups]


def _rebuilt(program: DiscreteProgram, change: Callable[[Node], Node]) -> DiscreteProgram:
    changed = _changed(program, change)
    assert isinstance(changed, DiscreteProgram)
    return changed


def _changed(node: Node, change: Callable[[Node], Node]) -> Node:
    fields: dict[str, object] = {}
    for name, value in node.__dict__.items():
        if isinstance(value, Node):
            fields[name] = _changed(value, change)
        elif isinstance(value, tuple):
            fields[name] = tuple(_changed(one, change) if isinstance(one, Node) else one for one in value)
    return change(node.model_copy(update=fields) if fields else node)
