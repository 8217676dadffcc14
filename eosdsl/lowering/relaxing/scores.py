"""Scores with open weights and choices: a sum whose weights are tensors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eosdsl.ir.nodes import Product, ScoreExpr, Sum, Weighted
from eosdsl.ir.space import Space
from eosdsl.lowering.relaxing.alternatives import alternatives
from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.numbers import Number, Paths, constant, number_of, probability, product
from eosdsl.operators.base import Score
from eosdsl.operators.bound import ScoreSum, Term


@dataclass(frozen=True)
class SoftTerm:
    """`weight` × the product of `factors`, as in `Term`."""

    weight: Number
    factors: tuple[Score | SoftSum, ...]


@dataclass(frozen=True)
class SoftSum:
    """A score expression with open weights."""

    terms: tuple[SoftTerm, ...]

    def at(self, values: Values) -> ScoreSum:
        """The expression with weights of now: tensors, where they are open."""
        return ScoreSum(
            tuple(
                Term(
                    term.weight(values),  # pyright: ignore[reportArgumentType]  # a tensor multiplies as a float does
                    tuple(factor.at(values) if isinstance(factor, SoftSum) else factor for factor in term.factors),
                )
                for term in self.terms
            )
        )

    def scores(self) -> Iterator[Score]:
        """Every score in it."""
        for term in self.terms:
            for factor in term.factors:
                if isinstance(factor, SoftSum):
                    yield from factor.scores()
                else:
                    yield factor


def soft_score(score: ScoreExpr, path: str, space: Space, paths: Paths) -> SoftSum:
    """The scores of an expression at `path`, in normal form: a sum of weighted products.

    Raises:
        SpecError: E0520 where something is open that has no gradient.
    """
    if isinstance(score, Sum):
        every = [_terms(term, f"{path}[{place}]", space, paths) for place, term in enumerate(score.terms)]
        return SoftSum(tuple(term for terms in every for term in terms))
    return SoftSum(tuple(_terms(score, path, space, paths)))


def _terms(score: ScoreExpr, path: str, space: Space, paths: Paths) -> list[SoftTerm]:
    """The terms that a score comes to: several where a choice is open in it."""
    if isinstance(score, Weighted):
        weight = number_of(score.weight, space, paths)
        nested = f"{path}.inner" if isinstance(score.score, Weighted) else path
        return [
            SoftTerm(product((weight, term.weight)), term.factors) for term in _terms(score.score, nested, space, paths)
        ]
    if isinstance(score, Sum):
        return [SoftTerm(constant(1.0), (soft_score(score, path, space, paths),))]
    if isinstance(score, Product):
        return _products(score, path, space, paths)
    return [SoftTerm(probability(one.chosen), (one.operator,)) for one in alternatives("scores", score, path, space)]


def _products(score: Product, path: str, space: Space, paths: Paths) -> list[SoftTerm]:
    made = [SoftTerm(constant(1.0), ())]
    for place, factor in enumerate(score.factors):
        more = _terms(factor, f"{path}.factors[{place}]", space, paths)
        made = [
            SoftTerm(product((one.weight, other.weight)), (*one.factors, *other.factors))
            for one in made
            for other in more
        ]
    return made
