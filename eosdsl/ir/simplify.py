"""A step as one would write it: without parts that get nothing, without a mix of one, without a sum of one."""

from __future__ import annotations

from eosdsl.ir.nodes import Behaviour, Group, Mix, ScoreExpr, Step, Sum, Weighted
from eosdsl.ir.quantities import Call, Quantity


def simplified(step: Step) -> Step:
    """The step, meaning the same, with nothing in it that does nothing."""
    return step.model_copy(update={"groups": tuple(_group(group) for group in step.groups)})


def _group(group: Group) -> Group:
    score = None if group.score is None else _score(group.score)
    return group.model_copy(update={"score": score, "behaviour": _behaviour(group.behaviour)})


def _score(score: ScoreExpr) -> ScoreExpr:
    """A sum without terms of no weight; of one term the weight does not matter to a ranking."""
    if isinstance(score, Weighted) and isinstance(score.weight, Quantity) and score.weight.value > 0:
        return _score(score.score) if not isinstance(score.score, Sum) else score
    if not isinstance(score, Sum):
        return score
    kept = tuple(term for term in score.terms if not _is_nothing(term)) or score.terms[:1]
    return _score(kept[0]) if len(kept) == 1 else score.model_copy(update={"terms": kept})


def _is_nothing(term: ScoreExpr) -> bool:
    return isinstance(term, Weighted) and isinstance(term.weight, Quantity) and term.weight.value == 0


def _behaviour(behaviour: Behaviour) -> Behaviour:
    """A mix without parts that get nothing; one that gives all to one part is that part; nothing taken in is pruned."""
    if not isinstance(behaviour, Mix):
        return behaviour
    shares = [part.share.value if isinstance(part.share, Quantity) else None for part in behaviour.parts]
    kept = tuple(part for part, share in zip(behaviour.parts, shares, strict=True) if share != 0)
    if not kept:
        return Call(name="prune", span=behaviour.span)
    if len(kept) == 1 and isinstance(kept[0].share, Quantity) and kept[0].share.value == 1:
        return kept[0].behaviour
    return behaviour.model_copy(update={"parts": kept})
