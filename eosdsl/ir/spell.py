"""A program as eos text: what a search, an artefact or a program made in Python prints. parse(spell(p)) means p."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from eosdsl.ir.nodes import (
    Amount,
    AttentionBias,
    Behaviour,
    Bookkeeping,
    Budget,
    Constraint,
    DiscreteProgram,
    Group,
    LayerRef,
    Mix,
    Product,
    RelaxedProgram,
    ScoreExpr,
    Step,
    Sum,
    Weighted,
    Where,
)
from eosdsl.ir.own_budget import own_budget
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Value, Word

_UNITS = {"tokens": " tokens", "flops": " FLOPs", "bytes": " B", "milliseconds": " ms"}
_RULES = ("layer", "mass", "distance")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def spell(program: DiscreteProgram | RelaxedProgram) -> str:
    """The program in canonical layout."""
    from eosdsl.syntax.format import format_text

    return format_text("\n".join(_lines(program)) + "\n")


def spell_step(step: Step) -> str:
    """What follows the colon of an `at` statement."""
    return _step(step).partition(": ")[2]


def spell_value(value: Value) -> str:
    """A value as it stands in an argument."""
    match value:
        case Quantity():
            return _quantity(value)
        case Word():
            return value.name if _NAME.fullmatch(value.name) else f'"{value.name}"'
        case Dims():
            return f"{value.rows}x{value.columns}"
        case Open():
            return _open(value)
        case Call():
            return spell_call(value)


def spell_call(call: Call) -> str:
    """A call; without arguments a bare name, and a few read as rules: `layer 9`, `mass 90%`."""
    if call.name in _RULES and len(call.arguments) == 1 and call.arguments[0].name is None:
        return f"{call.name} {spell_value(call.arguments[0].value)}"
    inner = ", ".join(_argument(argument) for argument in call.arguments)
    return f"{call.name}({inner})" if inner else call.name


def spell_score(score: ScoreExpr) -> str:
    """A score expression."""
    match score:
        case Call():
            return spell_call(score)
        case Weighted():
            return _weighted(score)
        case Product():
            return " * ".join(_inner(factor) for factor in score.factors)
        case Sum():
            first, *others = (_term(term) for term in score.terms)
            return "".join([first, *(f" - {one[1:]}" if one.startswith("-") else f" + {one}" for one in others)])


def _lines(program: DiscreteProgram | RelaxedProgram) -> Iterator[str]:
    yield from (f"# {line}".rstrip() for line in program.comment)
    kind = "operator" if isinstance(program, DiscreteProgram) else "space"
    name = re.sub(r"\W", "_", program.name, flags=re.ASCII)
    name = name if _NAME.fullmatch(name) else f"_{name}"
    yield f"{kind} {name}" + (f" for {program.family}" if program.family else "")
    yield from (_step(step) for step in program.steps)
    if isinstance(program, DiscreteProgram):
        yield from _clauses("expect", program.expectations)
        return
    if program.objective is not None:
        yield f"minimise {spell_score(program.objective)}"
    yield from _clauses("subject to", program.constraints)
    if program.search:
        settings = (f"{name}: {_setting(value)}" for name, value in program.search)
        yield f"search with {', '.join(settings)}"


def _clauses(word: str, constraints: tuple[Constraint, ...]) -> Iterator[str]:
    if constraints:
        each = (f"{spell_call(c.measure)} {c.comparison} {_quantity(c.bound)}" for c in constraints)
        yield f"{word} {', '.join(each)}"


def _setting(value: Call | Quantity | Word | Budget) -> str:
    return _ramp(value) if isinstance(value, Budget) else spell_value(value)


def _step(step: Step) -> str:
    groups = " and ".join(_group(group) for group in step.groups)
    return f"at {_where(step.where)}: {groups}{_options(step.bookkeeping)}"


def _where(where: Where) -> str:
    if where.stream == "encoder_output":
        return "encoder output"
    tower = "encoder " if where.stream == "encoder" else ""
    after = " after attention" if where.after_attention else ""
    if where.choose is not None:
        low, high = where.choose
        count = f"{low}" if low == high else f"{low}..{high}"
        return f"any {count} of {tower}layers {_layers(where.layers)}{after}"
    if where.gradual:
        return f"{tower}layer {_layer(where.layers[0])}..{_layer(where.layers[-1])}{after}"
    word = "layer" if len(where.layers) == 1 else "layers"
    return f"{tower}{word} {_layers(where.layers)}{after}"


def _layers(layers: tuple[LayerRef, ...]) -> str:
    """Layers one by one; three or more in a row as a range."""
    runs: list[list[LayerRef]] = []
    for layer in layers:
        last = runs[-1][-1].index if runs else None
        if last is not None and layer.index == last + 1:
            runs[-1].append(layer)
        else:
            runs.append([layer])
    return ", ".join(item for run in runs for item in _run(run))


def _run(run: list[LayerRef]) -> list[str]:
    names = [_layer(layer) for layer in run]
    return names if len(names) < 3 else [f"{names[0]}..{names[-1]}"]


def _layer(layer: LayerRef) -> str:
    return f"depth {_ratio(layer.depth)}" if layer.depth is not None else f"{layer.index}"


def _group(group: Group) -> str:
    brought = isinstance(group.pick, Call) and group.budget == own_budget(group.pick)
    parts = [] if brought else [f"{group.budget.verb} {_ramp(group.budget)}"]
    if group.score is not None:
        parts.append(f"by {spell_score(group.score)}")
    if group.pick != Call(name="top"):
        parts.append(f"pick {spell_value(group.pick)}")
    if group.behaviour != Call(name="prune"):
        parts.append(f"via {_behaviour(group.behaviour)}")
    return " ".join(parts)


def _ramp(budget: Budget) -> str:
    start = f"{_amount(budget.start)} -> " if budget.start is not None else ""
    curve = f" along {spell_call(budget.curve)}" if budget.curve is not None else ""
    return f"{start}{', '.join(_amount(amount) for amount in budget.amounts)}{curve}"


def _amount(amount: Amount) -> str:
    return spell_value(amount.value) + (" of incoming" if amount.of == "incoming" else "")


def _behaviour(behaviour: Behaviour) -> str:
    if not isinstance(behaviour, Mix):
        return spell_value(behaviour)
    parts = (f"{spell_value(part.share)} {spell_call(part.behaviour)}" for part in behaviour.parts)
    return f"mix({', '.join(parts)})"


def _options(bookkeeping: Bookkeeping) -> str:
    options: list[str] = []
    if bookkeeping.positions != "keep":
        options.append(f"positions: {bookkeeping.positions}")
    if bookkeeping.order != "position":
        options.append(f"order: {bookkeeping.order}")
    if bookkeeping.attention_bias != AttentionBias():
        options.append(f"attention_bias: {_bias(bookkeeping.attention_bias)}")
    for name, value in bookkeeping.extra:
        options.append(f"keep {spell_value(value)}" if name == "keep" else f"{name}: {spell_value(value)}")
    return f" with {', '.join(options)}" if options else ""


def _bias(bias: AttentionBias) -> str:
    if isinstance(bias.strength, Word):
        return bias.strength.name
    if bias.strength == Quantity(value=Fraction(1)):
        return "log_size"
    return f"{spell_value(bias.strength)} * log_size"


def _weighted(score: Weighted) -> str:
    if score.weight == Quantity(value=Fraction(-1)):
        return f"-{_inner(score.score)}"
    inner = spell_score(score.score) if isinstance(score.score, Product) else _inner(score.score)
    return f"{spell_value(score.weight)} * {inner}"


def _term(score: ScoreExpr) -> str:
    return f"({spell_score(score)})" if isinstance(score, Sum) else spell_score(score)


def _inner(score: ScoreExpr) -> str:
    return spell_call(score) if isinstance(score, Call) else f"({spell_score(score)})"


def _argument(argument: Argument) -> str:
    written = spell_value(argument.value)
    return written if argument.name is None else f"{argument.name}: {written}"


def _open(hole: Open) -> str:
    written = "?"
    if hole.choices:
        written = f"? {{{', '.join(spell_value(choice) for choice in hole.choices)}}}"
    elif hole.low is not None and hole.high is not None:
        written = f"? {_quantity(hole.low)}..{_quantity(hole.high)}"
    return written if hole.prior is None else f"{written} prior {spell_value(hole.prior)}"


def _quantity(quantity: Quantity) -> str:
    if quantity.unit == "ratio":
        return _ratio(quantity.value)
    if quantity.unit == "tokens" and quantity.value == 1:
        return "1 token"
    return _number(quantity.value) + _UNITS.get(quantity.unit, "")


def _ratio(value: Fraction) -> str:
    """A percentage where its decimals end, else a fraction."""
    shown = _decimal(value * 100)
    return f"{shown}%" if shown is not None else f"{value.numerator}/{value.denominator}"


def _number(value: Fraction) -> str:
    """Decimals where they end; else a fraction, which as a share or a weight means the same."""
    return _decimal(value) or f"{value.numerator}/{value.denominator}"


def _decimal(value: Fraction) -> str | None:
    """The exact decimal notation of a number, None where it does not end."""
    rest, places = value.denominator, 0
    while rest % 10 == 0 or rest % 2 == 0 or rest % 5 == 0:
        rest //= 10 if rest % 10 == 0 else 2 if rest % 2 == 0 else 5
        places += 1
    if rest != 1:
        return None
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    whole, part = (digits[:-places], digits[-places:].rstrip("0")) if places else (digits, "")
    return ("-" if value < 0 else "") + whole + (f".{part}" if part else "")
