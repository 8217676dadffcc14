"""Pieces of a program as they would be written in a spec."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.ir.nodes import Amount, Budget, Mix, Product, ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Value, Word

_UNITS = {"tokens": " tokens", "layers": " layers", "flops": " flops", "bytes": " bytes", "milliseconds": " ms"}


def number(value: Fraction) -> str:
    """`0.25` where the decimals end, else `1/3`."""
    if value.denominator == 1:
        return str(value.numerator)
    shifted = value * 10**9
    return f"{value.numerator}/{value.denominator}" if shifted.denominator != 1 else f"{float(value):.9f}".rstrip("0")


def quantity(value: Quantity) -> str:
    """`25%`, `1/3`, `64 tokens`, `0.2`."""
    if value.unit == "ratio":
        percent = number(value.value * 100)
        return f"{value.value.numerator}/{value.value.denominator}" if "/" in percent else f"{percent}%"
    return number(value.value) + _UNITS.get(value.unit, "")


def ratio(share: Fraction) -> str:
    """`25%`, or `1/3` where the percentage has no end."""
    return quantity(Quantity(value=share, unit="ratio"))


def amount(given: Amount) -> str:
    """`25%`, `64 tokens`, `50% of incoming`, `all`."""
    return value(given.value) + (" of incoming" if given.of == "incoming" else "")


def budget(given: Budget) -> str:
    """A budget as it is written, from `retain` on."""
    amounts = ", ".join(map(amount, given.amounts))
    start = f"{amount(given.start)} -> " if given.start is not None else ""
    curve = f" along {call(given.curve)}" if given.curve is not None else ""
    return f"{given.verb} {start}{amounts}{curve}"


def value(given: Value) -> str:
    """Any value of an argument."""
    match given:
        case Quantity():
            return quantity(given)
        case Word():
            return given.name
        case Dims():
            return f"{given.rows}x{given.columns}"
        case Open():
            return hole(given)
        case Call():
            return call(given)


def call(given: Call) -> str:
    """`name` or `name(a, b: c)`."""
    if not given.arguments:
        return given.name
    return f"{given.name}({', '.join(map(_argument, given.arguments))})"


def hole(given: Open) -> str:
    """`?`, `? lo..hi`, `? {a, b}`."""
    if given.choices:
        return "? {" + ", ".join(map(value, given.choices)) + "}"
    if given.low is not None and given.high is not None:
        return f"? {quantity(given.low)}..{quantity(given.high)}"
    return "?"


def score(given: ScoreExpr) -> str:
    """A score as it is written."""
    match given:
        case Call():
            return call(given)
        case Weighted():
            inner = score(given.score)
            return f"{value(given.weight)} * {f'({inner})' if isinstance(given.score, Sum) else inner}"
        case Sum():
            return " + ".join(map(score, given.terms))
        case Product():
            return " * ".join(f"({score(f)})" if isinstance(f, Sum) else score(f) for f in given.factors)


def behaviour(given: Call | Mix | Open) -> str:
    """A behaviour as it is written."""
    match given:
        case Call():
            return call(given)
        case Open():
            return hole(given)
        case Mix():
            return f"mix({', '.join(f'{value(part.share)} {call(part.behaviour)}' for part in given.parts)})"


def _argument(given: Argument) -> str:
    return value(given.value) if given.name is None else f"{given.name}: {value(given.value)}"
