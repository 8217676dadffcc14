"""What the groups of a site must be given, and what they cost. Torch-free."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from eosdsl.ir.schedule import BoundGroup
from eosdsl.operators.base import CostContext, Operator, Probe
from eosdsl.operators.bound import bind_groups


def probes(groups: Sequence[BoundGroup]) -> frozenset[Probe]:
    """Everything that the groups read besides the hidden state."""
    return frozenset().union(*(operator.probes() for group in bind_groups(groups) for operator in group.operators()))


def reads_text(groups: Sequence[BoundGroup]) -> bool:
    """Whether the outcome depends on the question: such a reduction cannot be cached across questions."""
    return any(
        score.reads_text for group in bind_groups(groups) if group.needs_scores for score in group.score.scores()
    )


def macs(groups: Sequence[BoundGroup], context: CostContext) -> int:
    """Multiply-accumulates per image of all groups; what several of them share (the same score) is counted once.

    `context.kept` is the number of anchors of all groups together; each group is charged for its own.
    """
    counted: set[Operator] = set()
    total = 0
    for group, bound in zip(groups, bind_groups(groups), strict=True):
        own = replace(context, kept=group.count if group.count is not None else context.kept)
        fresh = [operator for operator in bound.operators() if operator not in counted]
        total += sum(operator.macs(own) for operator in fresh)
        counted.update(bound.score.scores())
    return total
