"""Groups of a site with their calls turned into operators: what reductions run on and costs are read from.

Torch-free. `bind_groups` is cached: a program's groups are bound once, however often they run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.nodes import Amount, Mix, Product, ScoreExpr, Sum, Weighted
from eosdsl.ir.nodes import Behaviour as BehaviourNode
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.ir.schedule import BoundGroup
from eosdsl.operators.base import (
    Absorbing,
    Behaviour,
    Budget,
    Combine,
    Operator,
    Pick,
    Score,
    Similarity,
    Support,
    Weight,
)
from eosdsl.operators.binding import bind_call
from eosdsl.operators.similarities.cosine import Cosine
from eosdsl.operators.supports.everywhere import Everywhere


@dataclass(frozen=True)
class Term:
    """`weight` × the product of `factors`; in a sum of several it is standardised unless its one factor is `raw`."""

    weight: float
    factors: tuple[Score | ScoreSum, ...]

    @property
    def standardised(self) -> bool:
        return not (len(self.factors) == 1 and isinstance(self.factors[0], Score) and not self.factors[0].standardised)


@dataclass(frozen=True)
class ScoreSum:
    """A score expression in normal form: a sum of weighted products."""

    terms: tuple[Term, ...]

    def scores(self) -> Iterator[Score]:
        """Every score in it, those inside nested sums too."""
        for term in self.terms:
            for factor in term.factors:
                if isinstance(factor, Score):
                    yield factor
                else:
                    yield from factor.scores()


@dataclass(frozen=True)
class Part:
    """A share of what is given up, the behaviour that takes it in, by which likeness, and from where."""

    share: float
    behaviour: Absorbing
    similarity: Similarity
    support: Support


@dataclass(frozen=True)
class GroupOperators:
    """One group. `parts` empty: it prunes. `weight` and `combine` hold for all parts; `budget` where it is adaptive."""

    score: ScoreSum
    pick: Pick
    parts: tuple[Part, ...]
    weight: Weight = "size"
    combine: Combine = "average"
    budget: Budget | None = None

    @property
    def absorbs(self) -> bool:
        return bool(self.parts)

    @property
    def sharp(self) -> bool:
        """Whether every column of A has one entry, of one."""
        return len(self.parts) == 1 and self.parts[0].share == 1.0 and self.parts[0].behaviour.sharp

    @property
    def needs_scores(self) -> bool:
        by_budget = self.budget is not None and self.budget.uses_score
        return self.pick.uses_score or by_budget or self.weight == "score"

    def operators(self) -> Iterator[Operator]:
        """All that has probes and costs: scores that are read, pick, behaviours, what the pick brings along."""
        if self.needs_scores:
            yield from self.score.scores()
        if self.budget is not None:
            yield self.budget
        yield self.pick
        for part in self.parts:
            yield part.behaviour
            yield part.similarity
            yield part.support


def bind_groups(groups: Sequence[BoundGroup]) -> tuple[GroupOperators, ...]:
    """The operators of a site's groups; raises SpecError where a call does not bind (a checked program's all do)."""
    # nodes define __hash__; pyright sees pydantic's __eq__ and thinks they do not
    return tuple(_bind_group(group) for group in groups)  # pyright: ignore[reportArgumentType]


def bind_score(expression: ScoreExpr) -> ScoreSum:
    """The scores of an expression; raises SpecError where a call does not bind."""
    found: list[Diagnostic] = []
    score = _bind_score(expression, found)
    if found:
        raise SpecError(found)
    return score


@lru_cache(maxsize=1024)
def _bind_group(group: BoundGroup) -> GroupOperators:
    found: list[Diagnostic] = []
    score = _bind_score(group.score, found)
    pick, problems = bind_call("picks", group.pick)
    found += problems
    behaviours = _bind_behaviour(group.behaviour, found)
    budget = _bind_budget(group.amount.amount, found)
    if found or pick is None:
        raise SpecError(found)
    parts = tuple(_part(share, behaviour, pick) for share, behaviour in behaviours)
    if not parts:
        return GroupOperators(score, pick, (), budget=budget)
    return GroupOperators(score, pick, parts, *_agreed(parts, group.behaviour, parts[0].behaviour), budget)


def _bind_budget(amount: Amount, found: list[Diagnostic]) -> Budget | None:
    if not isinstance(amount.value, Call):
        return None
    budget, problems = bind_call("budgets", amount.value)
    found += problems
    return budget


def _bind_score(expression: ScoreExpr, found: list[Diagnostic]) -> ScoreSum:
    terms = expression.terms if isinstance(expression, Sum) else (expression,)
    return ScoreSum(tuple(_bind_term(term, found) for term in terms))


def _bind_term(expression: ScoreExpr, found: list[Diagnostic]) -> Term:
    if isinstance(expression, Weighted):
        inner = _bind_term(expression.score, found)
        return Term(_number(expression.weight, found) * inner.weight, inner.factors)
    if isinstance(expression, Product):
        inner_terms = [_bind_term(factor, found) for factor in expression.factors]
        weight = 1.0
        for term in inner_terms:
            weight *= term.weight
        return Term(weight, tuple(factor for term in inner_terms for factor in term.factors))
    if isinstance(expression, Sum):
        return Term(1.0, (_bind_score(expression, found),))
    score, problems = bind_call("scores", expression)
    found += problems
    return Term(1.0, (score,) if score is not None else ())


def _number(value: Quantity | Open, found: list[Diagnostic]) -> float:
    if isinstance(value, Open):
        found.append(error("E0226", "a weight is left open", value.span, "decide it here"))
        return 0.0
    return float(value.value)


def _part(share: float, behaviour: Absorbing, pick: Pick) -> Part:
    """What the behaviour leaves unsaid the pick may bring along; else cosine of the hidden state, and everywhere."""
    similarity = behaviour.similarity or pick.own_similarity() or Cosine()
    return Part(share, behaviour, similarity, behaviour.within or pick.own_support() or Everywhere())


def _bind_behaviour(node: BehaviourNode, found: list[Diagnostic]) -> list[tuple[float, Absorbing]]:
    if isinstance(node, Open):
        found.append(error("E0226", "the behaviour is left open", node.span, "decide it here"))
        return []
    if isinstance(node, Mix):
        bound = [(_number(part.share, found), _bind_one(part.behaviour, found)) for part in node.parts]
    else:
        bound = [(1.0, _bind_one(node, found))]
    return [(share, one) for share, one in bound if share > 0 and isinstance(one, Absorbing)]


def _bind_one(call: Call, found: list[Diagnostic]) -> Behaviour | None:
    behaviour, problems = bind_call("behaviours", call)
    found += problems
    return behaviour


def _agreed(parts: tuple[Part, ...], node: BehaviourNode, first: Absorbing) -> tuple[Weight, Combine]:
    """The weight and combine of a group: what its parts say, where they say anything; they must not disagree."""
    told: dict[str, set[Any]] = {
        field: {getattr(part.behaviour, field) for part in parts if field in part.behaviour.model_fields_set}
        for field in ("weight", "combine")
    }
    for field, values in told.items():
        if len(values) > 1:
            message = f"parts of the mix disagree about `{field}`: {' and '.join(sorted(values))}"
            raise SpecError([error("E0228", message, node.span, "one group, one way")])
    weight: Weight = next(iter(told["weight"])) if told["weight"] else first.weight
    combine: Combine = next(iter(told["combine"])) if told["combine"] else first.combine
    return weight, combine


def calls(group: BoundGroup) -> Iterator[Call]:
    """The calls of a group as written: adaptive budget, scores, pick, behaviours."""
    if isinstance(group.amount.amount.value, Call):
        yield group.amount.amount.value
    yield from _score_calls(group.score)
    yield group.pick
    if isinstance(group.behaviour, Call):
        yield group.behaviour
    elif isinstance(group.behaviour, Mix):
        yield from (part.behaviour for part in group.behaviour.parts)


def _score_calls(expression: ScoreExpr) -> Iterator[Call]:
    if isinstance(expression, Call):
        yield expression
        return
    if isinstance(expression, Weighted):
        yield from _score_calls(expression.score)
        return
    for part in expression.terms if isinstance(expression, Sum) else expression.factors:
        yield from _score_calls(part)
