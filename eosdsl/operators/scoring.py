"""Scores of a group: the weighted sum of standardised terms, products of raw factors (language, fine print)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eosdsl.operators.bound import ScoreSum, Term
from eosdsl.operators.tensors import present, standardise

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens


def evaluate(expression: ScoreSum, tokens: Tokens) -> Tensor:
    """Scores [G, N] float32. A single term is raw times its weight; in a sum each term is standardised over the tokens
    present in its image, `raw` ones excepted."""
    if len(expression.terms) == 1:
        return _raw(expression.terms[0], tokens)
    rows = present(tokens) if tokens.presence is None else tokens.presence
    total = None
    for term in expression.terms:
        value = _raw(term, tokens, weighted=False)
        value = term.weight * (standardise(value, rows) if term.standardised else value)
        total = value if total is None else total + value
    assert total is not None, "the grammar has no empty sum"
    return total


def _raw(term: Term, tokens: Tokens, *, weighted: bool = True) -> Tensor:
    value = None
    for factor in term.factors:
        one = evaluate(factor, tokens) if isinstance(factor, ScoreSum) else factor.compute(tokens)
        value = one if value is None else value * one
    assert value is not None, "bound terms have factors"
    return value * term.weight if weighted and term.weight != 1.0 else value
