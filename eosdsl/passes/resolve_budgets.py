"""Budgets: how many tokens, with units, at one site or several."""

from __future__ import annotations

from eosdsl.ir.nodes import Amount, Budget, Where
from eosdsl.ir.quantities import Call, Open, Quantity, Word
from eosdsl.passes.curves import CURVES
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_operators import check_operator, known_names
from eosdsl.passes.resolve_values import call, value
from eosdsl.source import Span
from eosdsl.syntax import tree

_BASES = ("incoming", "original")
_COUNTED = (Quantity, Word, Call, Open)


def budget(context: Context, written: tree.Budget, where: Where | None) -> Budget | None:
    """A budget for the sites of `where`; None after a mistake that was reported."""
    amounts = [_amount(context, amount, written.verb) for amount in written.amounts]
    start = _amount(context, written.start, "remove") if written.start is not None else None
    along = curve(context, written.curve) if written.curve is not None else None
    if any(amount is None for amount in amounts) or (written.start is not None and start is None):
        return None
    if where is not None and not _fits(context, written, where):
        return None
    return Budget(
        verb=written.verb,
        amounts=tuple(amount for amount in amounts if amount is not None),
        start=start,
        curve=along,
        span=context.at(written.span),
    )


def curve(context: Context, written: tree.Call) -> Call | None:
    """A curve by name: linear, geometric, cosine, logistic(steepness)."""
    if written.name.text not in CURVES:
        context.unknown("E0205", "curve", written.name, CURVES)
        return None
    found = call(context, written)
    if found.name != "logistic" and found.arguments:
        context.error("E0204", f"`{found.name}` has no parameters", written.span, "write the name alone")
        return None
    given = [argument.value for argument in found.arguments]
    if len(given) > 1 or not all(isinstance(one, Quantity) and one.unit == "number" and one.value > 0 for one in given):
        context.error("E0204", "`logistic` takes one positive number", written.span, "how steep it is")
        return None
    return found


def _amount(context: Context, written: tree.Amount, verb: str) -> Amount | None:
    of = "original"
    if written.of is not None:
        if written.of.text not in _BASES:
            context.unknown("E0205", "base of a share", written.of, _BASES)
            return None
        of = written.of.text
    found = value(context, written.value)
    if found is None or _name_of_a_broken_param(context, found):
        return None
    if isinstance(found, Word) and found.name != "all":
        found = Call(name=found.name, span=found.span)
    if isinstance(found, Call) and not _adaptive(context, found, written):
        return None
    if isinstance(found, Quantity) and not _quantity(context, found, written, verb):
        return None
    if isinstance(found, Open) and not _open(context, found, written):
        return None
    if not isinstance(found, _COUNTED):
        context.error("E0204", "this is not a number of tokens", written.span, "expected `25%` or `64 tokens`")
        return None
    if of == "incoming" and isinstance(found, Quantity) and found.unit == "tokens":
        context.error("E0204", "a number of tokens is of nothing", written.span, "write a share: `50% of incoming`")
        return None
    return Amount(value=found, of="incoming" if of == "incoming" else "original", span=context.at(written.span))


def _name_of_a_broken_param(context: Context, found: object) -> bool:
    return isinstance(found, Word) and found.name in context.legible


def _adaptive(context: Context, found: Call, written: tree.Amount) -> bool:
    known = known_names("budgets")
    if found.name not in known:
        word = tree.Word(found.name, _name_span(written))
        context.unknown("E0201", "param or adaptive budget", word, {*known, *context.params, "all"})
        return False
    before = len(context.found)
    check_operator(context, "budgets", found)
    return len(context.found) == before


def _name_span(written: tree.Amount) -> Span:
    inner = written.value
    return inner.name.span if isinstance(inner, tree.Call | tree.Rule) else inner.span


def _quantity(context: Context, found: Quantity, written: tree.Amount, verb: str) -> bool:
    span = written.value.span
    number, whole = found.value.numerator, found.value.denominator
    if found.unit == "number":
        _report_unitless(context, found, written)
    elif found.unit not in ("ratio", "tokens"):
        context.error("E0204", f"tokens are not counted in {found.unit}", span, "expected a share or tokens")
    elif number < 0:
        context.error("E0345", "a number of tokens cannot be negative", span, "negative")
    elif found.unit == "ratio" and number > whole:
        context.error("E0341", "a share is at most 100%", span, "more than all of them")
    elif found.unit == "tokens" and whole != 1:
        context.error("E0204", "tokens come whole", span, "expected a whole number")
    elif verb == "retain" and number == 0:
        context.error(
            "E0340", "this retains nothing", span, "no token is left", helps=("`remove all` says so on purpose",)
        )
    else:
        return True
    return False


def _report_unitless(context: Context, found: Quantity, written: tree.Amount) -> None:
    span = written.value.span
    number = found.value
    if 0 < number <= 1:
        share = number * 100
        shown = f"{share}%" if share.denominator == 1 else f"{float(share):g}%"
    else:
        shown = f"{number} tokens"
    fix = context.replacement(span, shown) if isinstance(written.value, tree.Number) else None
    context.error(
        "E0204", "a number of what?", span, f"did you mean `{shown}`?", helps=("`64 tokens`, or `25%`",), fix=fix
    )


def _open(context: Context, found: Open, written: tree.Amount) -> bool:
    sides = [side for side in (found.low, found.high, found.prior, *found.choices) if side is not None]
    for side in sides:
        if not isinstance(side, Quantity) or side.unit not in ("ratio", "tokens"):
            context.error("E0204", "an open budget is between shares or tokens", written.span, "`? 2%..60%`")
            return False
        if side.value < 0:
            context.error("E0345", "a number of tokens cannot be negative", written.span, "negative")
            return False
        if side.unit == "ratio" and side.value > 1:
            context.error("E0341", "a share is at most 100%", written.span, "more than all of them")
            return False
    return True


def _fits(context: Context, written: tree.Budget, where: Where) -> bool:
    """One amount, or one for each site of a list; a ramp needs several sites."""
    given = len(written.amounts)
    several = where.gradual or len(where.layers) > 1
    ramp = written.start is not None or written.curve is not None
    if ramp and (not several or where.choose):
        what = "a ramp" if written.start is not None else "a curve"
        context.error(
            "E0347",
            f"{what} needs a range of layers",
            written.span,
            "there is one place",
            helps=("`at layer 2..8: …`",),
        )
        return False
    if given == 1:
        return True
    if where.gradual or where.choose or ramp:
        what = (
            "a range takes one budget, which it spreads over its layers"
            if where.gradual or ramp
            else "open places share one budget"
        )
        context.error("E0323", what, written.span, f"{given} are given", helps=("write `layers a, b, c` to list them",))
        return False
    sites = len(where.layers) or 1
    if given != sites:
        places = f"{sites} layers" if sites > 1 else "one place"
        context.error("E0323", f"{given} budgets for {places}", written.span, "one for each, or one for all")
        return False
    return True
