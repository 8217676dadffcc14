"""Anchors, group by group: each chooses among what earlier groups left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from eosdsl.operators.bound import GroupOperators
from eosdsl.operators.scoring import evaluate
from eosdsl.operators.tensors import marked, present, rows_where

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens


@dataclass(frozen=True)
class Chosen:
    """A group, the tokens as it sees them, its anchors [G, k] (-1: none), and how many count [G] (None: all)."""

    group: GroupOperators
    tokens: Tokens
    anchors: Tensor
    counts: Tensor | None

    @property
    def valid(self) -> Tensor | None:
        """[G, k] bool, None where all rows count."""
        if self.counts is None:
            return None
        return torch.arange(self.anchors.shape[1], device=self.anchors.device) < self.counts[:, None]


@dataclass(frozen=True)
class Choice:
    """All groups; `rest` [G, N] bool, what none of them chose; at most `left` of an image (None: not known before)."""

    groups: tuple[Chosen, ...]
    rest: Tensor
    left: int | None


def choose(groups: Sequence[GroupOperators], tokens: Tokens, counts: Sequence[Tensor | int | None]) -> Choice:
    """Anchors of all groups; scores are evaluated where something reads them."""
    free = present(tokens)
    left = free.shape[1] if tokens.valid is None else None
    chosen: list[Chosen] = []
    for group, count in zip(groups, counts, strict=True):
        seen = replace(tokens, free=free)
        if group.needs_scores:
            seen = replace(seen, scores=evaluate(group.score, seen))
        one = _choose_one(group, seen, free, count, left)
        left = None if left is None or one.counts is not None else left - one.anchors.shape[1]
        free = free & ~marked(one.anchors, free.shape[1]) if group.pick.anchored else free
        chosen.append(one)
    lost = sum(one.anchors.shape[1] for one in chosen if not one.group.pick.anchored)
    return Choice(tuple(chosen), free, None if left is None else left + lost)


def _choose_one(
    group: GroupOperators, seen: Tokens, free: Tensor, count: Tensor | int | None, left: int | None
) -> Chosen:
    scores = seen.scores if seen.scores is not None else seen.sizes
    if count is None:
        return _adaptive(group, seen, scores, free)
    wanted, most, static = _wanted(count, free, left)
    anchors = group.pick.select(seen, scores, free, wanted, most)
    return Chosen(group, seen, anchors, None if static else wanted)


def _adaptive(group: GroupOperators, seen: Tokens, scores: Tensor, free: Tensor) -> Chosen:
    assert group.budget is not None, "only an adaptive budget comes without a count"
    decision = group.budget.decide(seen, scores, free, group.pick)
    counts = torch.minimum(decision.counts, free.sum(dim=1))
    most = int(counts.max())
    if decision.chosen is not None:
        return Chosen(group, seen, rows_where(decision.chosen, most), counts)
    return Chosen(group, seen, group.pick.select(seen, scores, free, counts, most), counts)


def _wanted(count: Tensor | int, free: Tensor, left: int | None) -> tuple[Tensor, int, bool]:
    """Anchors wanted per image [G], at most how many, and whether all images have as many."""
    if not isinstance(count, int):
        smallest, largest = int(count.min()), int(count.max())
        if smallest != largest:
            wanted = torch.minimum(count.to(free.device), free.sum(dim=1))
            return wanted, min(largest, free.shape[1]), False
        count = smallest
    if left is not None:
        most = min(count, left)
        return torch.full((free.shape[0],), most, device=free.device), most, True
    most = min(count, free.shape[1])
    return free.sum(dim=1).clamp(max=most), most, False
