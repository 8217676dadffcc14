"""Scores: weighted sums and products of calls, with named scores put in where they are used."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from eosdsl.ir.nodes import Product, ScoreExpr, Sum, Weighted
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_limits import enters, within_size
from eosdsl.passes.resolve_operators import check_operator
from eosdsl.passes.resolve_values import call, hole, param, quantity
from eosdsl.source import Span
from eosdsl.syntax import tree

Leaf = Callable[[Context, tree.Call | tree.Rule], "ScoreExpr | None"]


def score(context: Context, expression: tree.Expression) -> ScoreExpr | None:
    """A score expression; None after a mistake that was reported."""
    return combination(context, expression, _score_leaf)


def combination(context: Context, expression: tree.Expression, leaf: Leaf) -> ScoreExpr | None:
    """A weighted sum of products, of what `leaf` makes of calls (scores, or the terms of an objective)."""
    match expression:
        case tree.Call() | tree.Rule():
            return leaf(context, expression)
        case tree.Paren():
            return combination(context, expression.inner, leaf)
        case tree.Sum():
            return _sum(context, expression, leaf)
        case tree.Product():
            return _product(context, expression, leaf)
        case tree.Negative():
            inner = combination(context, expression.operand, leaf)
            return None if inner is None else _weighted(Quantity(value=Fraction(-1)), inner, context, expression)
        case tree.Hole():
            context.error(
                "E0505",
                "a score cannot be left open as a whole",
                expression.span,
                "which scores may it be?",
                helps=("open the weights instead: `? * attention(query: last) + ? * norm(hidden)`",),
            )
        case tree.Number():
            context.error("E0204", "a number is not a score", expression.span, "it would rate all tokens alike")
        case _:
            context.error("E0207", "this is not a score", expression.span, "expected a score")
    return None


def named_score(context: Context, name: str, used: Span) -> ScoreExpr | None:
    """The score that `score NAME = …` defines. One that is defined by itself is an error (E0203)."""
    if name not in context.score_values:
        if not enters(context, name, used):
            return None
        declared = context.scores[name]
        with context.within(declared.file):
            own = score(context, declared.statement.value)
            fits = own is not None and within_size(context, name, own, declared.statement.span)
        context.score_values[name] = own if fits else None
        context.underway.pop()
    return context.score_values[name]


def _score_leaf(context: Context, written: tree.Call | tree.Rule) -> ScoreExpr | None:
    name = written.name.text
    if isinstance(written, tree.Call) and not written.arguments:
        if name in context.scores:
            return named_score(context, name, written.span)
        if name in context.legible:
            return None
        if name in context.params:
            return _param_score(context, name, written)
    before = len(context.found)
    found = call(context, written)
    if len(context.found) > before:
        return None
    check_operator(context, "scores", found)
    return found if len(context.found) == before else None


def _param_score(context: Context, name: str, written: tree.Call) -> ScoreExpr | None:
    found = param(context, name, written.span)
    if found is None:
        return None
    if isinstance(found, Quantity | Open):
        context.error("E0204", f"`{name}` is a number, not a score", written.span, "expected a score")
        return None
    leaf = found if isinstance(found, Call) else Call(name=getattr(found, "name", name), span=found.span)
    check_operator(context, "scores", leaf)
    return leaf


def _sum(context: Context, written: tree.Sum, leaf: Leaf) -> ScoreExpr | None:
    terms: list[ScoreExpr] = []
    for term in written.terms:
        one = combination(context, term.value, leaf)
        if one is None:
            continue
        minus = term.sign == "-"
        terms.append(_weighted(Quantity(value=Fraction(-1)), one, context, term) if minus else one)
    if len(terms) < len(written.terms):
        return None
    return Sum(terms=tuple(terms), span=context.at(written.span))


def _product(context: Context, written: tree.Product, leaf: Leaf) -> ScoreExpr | None:
    weight: Quantity | Open | None = None
    factors: list[ScoreExpr] = []
    before = len(context.found)
    for factor in written.factors:
        number = _weight(context, factor)
        if len(context.found) > before:
            return None
        if number is None:
            one = combination(context, factor, leaf)
            if one is None:
                return None
            factors.append(one)
            continue
        if weight is not None and (isinstance(weight, Open) or isinstance(number, Open)):
            context.error("E0505", "one weight is enough: this score has an open one", factor.span, "another weight")
            return None
        weight = number if not isinstance(weight, Quantity) else _times(weight, number)
    if not factors:
        context.error("E0204", "a number is not a score", written.span, "expected a score among the factors")
        return None
    product = factors[0] if len(factors) == 1 else Product(factors=tuple(factors), span=context.at(written.span))
    return product if weight is None else _weighted(weight, product, context, written)


def _times(weight: Quantity, other: Quantity | Open) -> Quantity | Open:
    return Quantity(value=weight.value * other.value, span=weight.span) if isinstance(other, Quantity) else other


def _weight(context: Context, factor: tree.Expression) -> Quantity | Open | None:
    """The factor as a weight: a plain number, a hole, or a param that holds one; None if it is a score."""
    match factor:
        case tree.Number():
            found = quantity(context, factor)
        case tree.Negative() if isinstance(factor.operand, tree.Number):
            inner = quantity(context, factor.operand)
            found = inner.model_copy(update={"value": -inner.value, "span": context.at(factor.span)})
        case tree.Hole():
            found = hole(context, factor)
            if found is not None and not all(isinstance(choice, Quantity) for choice in found.choices):
                context.error("E0505", "a choice among scores cannot be a weight", factor.span, "expected numbers")
        case tree.Call() if not factor.arguments and factor.name.text in context.params:
            found = param(context, factor.name.text, factor.span)
        case tree.Paren():
            return _weight(context, factor.inner)
        case _:
            return None
    if isinstance(found, Open):
        return found
    if not isinstance(found, Quantity):
        return None
    if found.unit not in ("number", "ratio"):
        context.error("E0204", f"a weight is a plain number, not {found.unit}", factor.span, "a number without unit")
    return found


def _weighted(
    weight: Quantity | Open, inner: ScoreExpr, context: Context, written: tree.Expression | tree.Term
) -> ScoreExpr:
    """`weight * inner`; a minus sign before a weight turns it round."""
    span = context.at(written.span)
    if isinstance(inner, Weighted) and isinstance(inner.weight, Quantity) and isinstance(weight, Quantity):
        product = Quantity(value=weight.value * inner.weight.value, span=inner.weight.span)
        return Weighted(weight=product, score=inner.score, span=span)
    return Weighted(weight=weight, score=inner, span=span)
