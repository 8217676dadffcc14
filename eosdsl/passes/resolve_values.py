"""Values: numbers with their units, words, calls, holes. Params are put in for their names."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Unit, Value, Word
from eosdsl.passes.resolve_context import Context, Declared
from eosdsl.passes.resolve_limits import enters, within_size
from eosdsl.source import Span
from eosdsl.syntax import tree
from eosdsl.syntax.parse import parse_value

_UNITS: dict[str | None, tuple[Unit, Fraction]] = {
    None: ("number", Fraction(1)),
    "tokens": ("tokens", Fraction(1)),
    "token": ("tokens", Fraction(1)),
    "MACs": ("flops", Fraction(2)),
    "GMACs": ("flops", Fraction(2 * 10**9)),
    "TMACs": ("flops", Fraction(2 * 10**12)),
    "FLOPs": ("flops", Fraction(1)),
    "GFLOPs": ("flops", Fraction(10**9)),
    "TFLOPs": ("flops", Fraction(10**12)),
    "B": ("bytes", Fraction(1)),
    "KB": ("bytes", Fraction(10**3)),
    "MB": ("bytes", Fraction(10**6)),
    "GB": ("bytes", Fraction(10**9)),
    "KiB": ("bytes", Fraction(2**10)),
    "MiB": ("bytes", Fraction(2**20)),
    "GiB": ("bytes", Fraction(2**30)),
    "us": ("milliseconds", Fraction(1, 1000)),
    "ms": ("milliseconds", Fraction(1)),
    "s": ("milliseconds", Fraction(1000)),
}


def quantity(context: Context, number: tree.Number) -> Quantity:
    """A number as an exact quantity."""
    span = context.at(number.span)
    if number.form != "number":
        return Quantity(value=number.value, unit="ratio", span=span)
    unit, factor = _UNITS[number.unit]
    return Quantity(value=number.value * factor, unit=unit, span=span)


def value(context: Context, expression: tree.Expression) -> Value | None:
    """Any value, as an argument, a param or an option takes it; None after a mistake that was reported."""
    match expression:
        case tree.Number():
            return quantity(context, expression)
        case tree.Call():
            return _named(context, expression)
        case tree.Paren():
            return value(context, expression.inner)
        case tree.Negative():
            return _negated(context, expression)
        case tree.Hole():
            return hole(context, expression)
        case tree.Dims():
            return Dims(rows=expression.rows, columns=expression.columns, span=context.at(expression.span))
        case tree.Rule():
            return call(context, expression)
        case tree.Text():
            return Word(name=expression.text, span=context.at(expression.span))
        case tree.Ramp():
            context.error("E0207", "a ramp cannot stand here", expression.span, "one value is expected")
        case tree.Sum() | tree.Product():
            context.error(
                "E0207",
                "one value is expected here, not a sum or a product",
                expression.span,
                helps=("sums stand after `by`, after `score NAME =` and after `minimise`",),
            )
    return None


def call(context: Context, written: tree.Call | tree.Rule) -> Call:
    """A call with its arguments. `mass 90%` is `mass(90%)`."""
    span = context.at(written.span)
    if isinstance(written, tree.Rule):
        amount = quantity(context, written.amount)
        return Call(name=written.name.text, arguments=(Argument(value=amount, span=amount.span),), span=span)
    arguments: list[Argument] = []
    for argument in written.arguments:
        given = value(context, argument.value)
        if given is not None:
            name = argument.name.text if argument.name is not None else None
            arguments.append(Argument(name=name, value=given, span=context.at(argument.span)))
    return Call(name=written.name.text, arguments=tuple(arguments), span=span)


def call_or_hole(context: Context, written: tree.Call | tree.Hole, what: str) -> Call | Open | None:
    """What stands where one operator is chosen: a call, a param that holds one, or a hole."""
    found = value(context, written)
    if found is None or isinstance(found, Call | Open):
        return found
    if isinstance(found, Word):
        return Call(name=found.name, span=found.span)
    context.error("E0204", f"{what} is a name, not a number", written.span, f"expected {what}")
    return None


def hole(context: Context, written: tree.Hole) -> Open | None:
    """A hole with its bounds, choices and prior; all of one unit, in order, and no choice twice (E0503)."""
    low, high = (_bound(context, side) for side in (written.low, written.high))
    if written.low is not None and (low is None or high is None):
        return None
    if low is not None and high is not None and not _in_order(context, written, low, high):
        return None
    choices: list[Value] = []
    for choice in written.choices:
        one = value(context, choice)
        if one is None:
            return None
        if one in choices:
            context.error("E0503", "this choice is given twice", choice.span, "again")
            return None
        choices.append(one)
    prior = value(context, written.prior) if written.prior is not None else None
    if prior is not None and not _possible(context, written, prior, low, high, choices):
        return None
    span = context.at(written.span)
    context.open_places.append(span)
    return Open(low=low, high=high, choices=tuple(choices), prior=prior, span=span)


def _bound(context: Context, written: tree.Expression | None) -> Quantity | None:
    found = value(context, written) if written is not None else None
    return found if isinstance(found, Quantity) else None


def _in_order(context: Context, written: tree.Hole, low: Quantity, high: Quantity) -> bool:
    if low.unit != high.unit:
        context.error("E0204", "the bounds have different units", written.span, f"from {low.unit} to {high.unit}")
        return False
    if low.value >= high.value:
        context.error("E0503", "nothing is left open between these bounds", written.span, "write the lower bound first")
        return False
    return True


def _possible(
    context: Context,
    written: tree.Hole,
    prior: Value,
    low: Quantity | None,
    high: Quantity | None,
    choices: list[Value],
) -> bool:
    assert written.prior is not None
    if choices and prior not in choices:
        context.error("E0503", "the prior is none of the choices", written.prior.span, "not among them")
        return False
    if choices or low is None or high is None:
        return True
    if isinstance(prior, Quantity) and prior.unit == low.unit and low.value <= prior.value <= high.value:
        return True
    context.error("E0503", "the prior is not within the bounds", written.prior.span, "outside")
    return False


def _negated(context: Context, written: tree.Negative) -> Value | None:
    inner = value(context, written.operand)
    if isinstance(inner, Quantity):
        return inner.model_copy(update={"value": -inner.value, "span": context.at(written.span)})
    if inner is not None:
        context.error("E0207", "a minus sign stands before a number", written.span, "not before this")
    return None


def _named(context: Context, written: tree.Call) -> Value | None:
    name = written.name.text
    if written.arguments:
        return call(context, written)
    if name in context.params:
        return param(context, name, written.span)
    if name in context.scores:
        return _single_score(context, name, written)
    return Word(name=name, span=context.at(written.span))


def _single_score(context: Context, name: str, written: tree.Call) -> Value | None:
    """A named score as an argument, `normalise(worth)`: it has to be one score."""
    from eosdsl.passes.resolve_scores import named_score

    found = named_score(context, name, written.span)
    if found is None or isinstance(found, Call):
        return found
    context.error(
        "E0207", f"`{name}` is a sum or a product of scores", written.span, "only a single score can stand here"
    )
    return None


def param(context: Context, name: str, used: Span) -> Value | None:
    """The value of a param where it is used: its setting, or what the spec gives it. A cycle is an error (E0203)."""
    if name not in context.param_values:
        if not enters(context, name, used):
            return None
        declared = context.params[name]
        with context.within(declared.file):
            own = _declared_value(context, name, declared)
            fits = own is not None and within_size(context, name, own, declared.statement.span)
        context.param_values[name] = own if fits else None
        context.underway.pop()
    found = context.param_values[name]
    return None if found is None else found.model_copy(update={"span": context.at(used)})


def _declared_value(context: Context, name: str, declared: Declared) -> Value | None:
    own = value(context, declared.statement.value)
    if name not in context.settings:
        return own
    text = context.settings[name]
    written, problems = parse_value(text)
    if written is None:
        reason = "; ".join(problem.message for problem in problems)
        context.error("E0216", f"`--set {name}={text}` cannot be read: {reason}", declared.statement.span, "this param")
        return None
    before, open_before = len(context.found), len(context.open_places)
    setting = value(context, written)
    # spans would point into the setting, not into the spec
    del context.found[before:], context.open_places[open_before:]
    if setting is None or isinstance(setting, Open):
        context.error("E0216", f"`--set {name}={text}` is not a value", declared.statement.span, "this param")
        return None
    if isinstance(setting, Quantity) and setting.unit == "number" and isinstance(own, Quantity):
        # a bare number takes the unit that the spec gives the param
        setting = setting.model_copy(update={"unit": own.unit})
    return setting.model_copy(update={"span": context.at(declared.statement.value.span)})
