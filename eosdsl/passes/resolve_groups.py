"""Groups: a budget, a score, a pick and a behaviour, put together."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.ir.nodes import Behaviour, Group, Mix, MixPart, Where
from eosdsl.ir.own_budget import own_budget
from eosdsl.ir.quantities import Call, Open, Quantity, Value, Word
from eosdsl.operators.kinds import Kind
from eosdsl.passes.resolve_budgets import budget
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_operators import check_operator
from eosdsl.passes.resolve_scores import score
from eosdsl.passes.resolve_values import call, call_or_hole, hole, param, quantity
from eosdsl.syntax import tree

_TOP, _PRUNE = Call(name="top"), Call(name="prune")  # what is taken where nothing is written


def group(context: Context, written: tree.Group, where: Where | None) -> Group | None:
    """One group of anchors; None after a mistake that was reported. The score stays None where no `by` was written."""
    before = len(context.found)
    pick = _chosen(context, written.pick.value, "picks", "a pick") if written.pick is not None else _TOP
    behaviour = _behaviour(context, written.via) if written.via is not None else _PRUNE
    rated = score(context, written.by.value) if written.by is not None else None
    if written.budget is not None:
        amount = budget(context, written.budget, where)
    else:
        amount = own_budget(pick, context.at(written.span)) if isinstance(pick, Call) else None
        # what is wrong with a grid has been said
        if amount is None and not (isinstance(pick, Call) and pick.name == "grid" and len(context.found) > before):
            context.error(
                "E0348",
                "how many tokens stay?",
                written.span,
                "no `retain` and no `remove`",
                helps=("`retain 25%`; only `pick grid(2x2)` brings its own count",),
            )
    if len(context.found) > before or amount is None or pick is None or behaviour is None:
        return None
    return Group(budget=amount, score=rated, pick=pick, behaviour=behaviour, span=context.at(written.span))


def _chosen(context: Context, written: tree.Call | tree.Hole, kind: Kind, what: str) -> Call | Open | None:
    """An operator, or a choice among some; each is checked."""
    found = call_or_hole(context, written, what)
    if found is None:
        return None
    if isinstance(found, Call):
        if found.name in context.legible:
            return None
        check_operator(context, kind, found)
        return found
    if found.low is not None:
        context.error("E0505", f"{what} is not between bounds", written.span, "expected `? {…}`")
        return None
    choices = [_as_call(context, choice, written, what) for choice in found.choices]
    for choice in choices:
        if choice is None:
            return None
        check_operator(context, kind, choice)
    calls: tuple[Value, ...] = tuple(choice for choice in choices if choice is not None)
    prior = _as_call(context, found.prior, written, what) if found.prior is not None else None
    return found.model_copy(update={"choices": calls, "prior": prior})


def _as_call(context: Context, choice: Value, written: tree.Call | tree.Hole, what: str) -> Call | None:
    if isinstance(choice, Call):
        return choice
    if isinstance(choice, Word):
        return Call(name=choice.name, span=choice.span)
    context.error("E0204", f"{what} is a name", written.span, "one of the choices is not")
    return None


def _behaviour(context: Context, via: tree.Via) -> Behaviour | None:
    if isinstance(via.value, tree.Mix):
        return _mix(context, via.value)
    return _chosen(context, via.value, "behaviours", "a behaviour")


def _mix(context: Context, written: tree.Mix) -> Mix | None:
    """A mix with every share filled in: bare names share what is left equally (an open one, where others are open)."""
    before = len(context.found)
    shares = [_share(context, part) for part in written.parts]
    calls = [_part(context, part) for part in written.parts]
    if len(context.found) > before:
        return None
    given = [share.value for share in shares if isinstance(share, Quantity)]
    bare = sum(share is None for share in shares)
    left = 1 - sum(given, Fraction(0))
    if left < 0 or (bare and not left):
        _report_overflow(context, written, sum(given, Fraction(0)), bare)
        return None
    if any(isinstance(share, Open) for share in shares):
        rest: Quantity | Open = Open()
    else:
        rest = Quantity(value=left / bare, unit="number") if bare else Quantity(value=Fraction(0))
    parts = [
        MixPart(share=rest.model_copy() if share is None else share, behaviour=one, span=context.at(part.span))
        for share, one, part in zip(shares, calls, written.parts, strict=True)
        if one is not None
    ]
    return Mix(parts=tuple(parts), span=context.at(written.span))


def _share(context: Context, part: tree.Part) -> Quantity | Open | None:
    match part.weight:
        case None:
            return None
        case tree.Hole():
            found = hole(context, part.weight)
            if found is not None and not all(isinstance(choice, Quantity) for choice in found.choices):
                context.error("E0204", "a share is a number", part.weight.span, "expected numbers")
            return found
        case tree.Number():
            found = quantity(context, part.weight)
            if found.unit not in ("number", "ratio"):
                context.error("E0204", f"a share is a plain number, not {found.unit}", part.weight.span, "`0.6 merge`")
            # `60%` and `0.6` of a mix are the same
            return found.model_copy(update={"unit": "number"})
        case _:
            context.error("E0345", "a share cannot be negative", part.weight.span, "negative")
            return None


def _part(context: Context, part: tree.Part) -> Call | None:
    name = part.behaviour.name.text
    if not part.behaviour.arguments and name in context.params:
        found = param(context, name, part.behaviour.span)
        if isinstance(found, Word):
            found = Call(name=found.name, span=found.span)
        if not isinstance(found, Call):
            context.error("E0204", f"`{name}` is not a behaviour", part.behaviour.span, "expected a behaviour")
            return None
    else:
        found = call(context, part.behaviour)
    check_operator(context, "behaviours", found)
    return found


def _report_overflow(context: Context, written: tree.Mix, total: Fraction, bare: int) -> None:
    shown = f"{float(total):g}"
    if total > 1:
        context.error("E0208", f"the shares of this mix come to {shown}", written.span, "at most 1 can be shared out")
    else:
        names = "the bare name" if bare == 1 else "the bare names"
        context.error("E0208", f"nothing is left for {names} in this mix", written.span, f"the others take {shown}")
