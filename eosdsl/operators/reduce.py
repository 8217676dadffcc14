"""A site's reduction: choose anchors group by group, let them take in the rest, put the rows in order.

    y_i = (m_i x_i + Σ_j A_ij m_j x_j) / (m_i + Σ_j A_ij m_j)        m'_i = m_i + Σ_j A_ij m_j

computed in float32 at least and cast back. Pruning is a plain gather, sharp merging scatters, W is built on request.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from eosdsl.operators import combine
from eosdsl.operators.base import Reduction, Tokens
from eosdsl.operators.bound import GroupOperators, Part, bind_groups
from eosdsl.operators.ordering import Order, arrange
from eosdsl.operators.scoring import evaluate
from eosdsl.operators.similarities.cosine import Cosine
from eosdsl.operators.supports.everywhere import Everywhere
from eosdsl.operators.tensors import marked, present, take_rows, working

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.ir.nodes import Bookkeeping
    from eosdsl.ir.schedule import BoundGroup


@dataclass(frozen=True)
class Chosen:
    """A group at work: its anchors [G, k] and the tokens as it sees them (with its scores, if it reads any)."""

    group: GroupOperators
    tokens: Tokens
    anchors: Tensor


@dataclass(frozen=True)
class Rows:
    """The rows that a group makes: hidden [G, k, D], sizes [G, k], and its part of W [G, k, N] when asked for."""

    hidden: Tensor
    sizes: Tensor
    weigh: Callable[[], Tensor]


def reduce_tokens(
    groups: Sequence[BoundGroup], bookkeeping: Bookkeeping, tokens: Tokens, counts: Sequence[Tensor | int]
) -> Reduction:
    """Reduce all images at one site.

    counts: per group the anchors wanted, int64 [G], or one int for every image alike (then shapes are static and
    nothing synchronises; tensors are best on the CPU for the same reason). More than there are is cut to all.
    """
    return reduce_bound(bind_groups(groups), bookkeeping.order, tokens, counts)


def reduce_bound(
    groups: Sequence[GroupOperators], order: Order, tokens: Tokens, counts: Sequence[Tensor | int]
) -> Reduction:
    """As `reduce_tokens`, for groups that are bound already."""
    chosen, rest, padded = _choose(groups, order, tokens, counts)
    rows = _make_rows(chosen, rest)
    anchors = torch.cat([one.anchors for one in chosen], dim=1)
    hidden = torch.cat([one.hidden for one in rows], dim=1)
    sizes = torch.cat([one.sizes for one in rows], dim=1)
    valid = anchors >= 0 if padded else None
    places = arrange(order, tokens, [(one.anchors, one.tokens.scores) for one in chosen], padded=padded)

    def weigh() -> Tensor:
        table = torch.cat([one.weigh() for one in rows], dim=1)
        table = table if places is None else take_rows(table, places)
        return table if valid is None else table * take(valid)[:, :, None]

    def take(table: Tensor) -> Tensor:
        return table if places is None else take_rows(table, places)

    if valid is not None:
        hidden = hidden * valid[:, :, None]
        sizes = sizes * valid
    return Reduction(take(hidden), take(anchors), take(sizes), None if valid is None else take(valid), weigh)


def _choose(
    groups: Sequence[GroupOperators], order: Order, tokens: Tokens, counts: Sequence[Tensor | int]
) -> tuple[list[Chosen], Tensor, bool]:
    """The groups with their anchors; the tokens that no group chose [G, N] bool; whether any row is padding."""
    free = present(tokens)
    left = free.shape[1] if tokens.valid is None else None
    chosen: list[Chosen] = []
    for group, count in zip(groups, counts, strict=True):
        seen = (
            replace(tokens, scores=evaluate(group.score, tokens)) if group.needs_scores or order == "score" else tokens
        )
        wanted, most, left = _wanted(count, free, left)
        scores = seen.scores if seen.scores is not None else tokens.sizes
        anchors = group.pick.select(seen, scores, free, wanted, most)
        free = free & ~marked(anchors, free.shape[1])
        chosen.append(Chosen(group, seen, anchors))
    return chosen, free, left is None


def _wanted(count: Tensor | int, free: Tensor, left: int | None) -> tuple[Tensor, int, int | None]:
    """Anchors wanted per image [G], at most how many, and how many are left after them (None: differs by image)."""
    if isinstance(count, int) and left is not None:
        most = min(count, left)
        return torch.full((free.shape[0],), most, device=free.device), most, left - most
    if isinstance(count, int):
        most = min(count, free.shape[1])
        return free.sum(dim=1).clamp(max=most), most, None
    smallest, largest = int(count.min()), int(count.max())
    if smallest == largest:
        return _wanted(smallest, free, left)
    wanted = torch.minimum(count.to(free.device), free.sum(dim=1))
    return wanted, min(largest, free.shape[1]), None


def _make_rows(chosen: Sequence[Chosen], rest: Tensor) -> list[Rows]:
    absorbing = [one for one in chosen if one.group.absorbs]
    if not absorbing:
        return [_keep(one) for one in chosen]
    affinities = [[_affinity(one, part, rest) for part in one.group.parts] for one in absorbing]
    if len(absorbing) > 1:
        affinities = _divide(affinities)
    made = iter(affinities)
    return [_absorb(one, next(made)) if one.group.absorbs else _keep(one) for one in chosen]


def _keep(one: Chosen) -> Rows:
    """The anchors as they are, bit for bit."""
    return Rows(
        take_rows(one.tokens.hidden, one.anchors),
        take_rows(one.tokens.sizes, one.anchors).float(),
        lambda: _one_hot(one.anchors, one.tokens),
    )


def _one_hot(anchors: Tensor, tokens: Tokens) -> Tensor:
    table = torch.zeros((*anchors.shape, tokens.hidden.shape[1]), device=anchors.device)
    return table.scatter(2, anchors.clamp(min=0)[:, :, None], 1.0)


def _affinity(one: Chosen, part: Part, rest: Tensor) -> Tensor:
    """Similarity [G, K, N], -inf where anchor i may not take token j in."""
    behaviour, pick = part.behaviour, one.group.pick
    similarity = behaviour.similarity or pick.own_similarity() or Cosine()
    support = behaviour.within or pick.own_support() or Everywhere()
    likeness = similarity.matrix(one.tokens, one.anchors)
    may = support.mask(one.tokens, one.anchors, likeness) & rest[:, None, :] & (one.anchors >= 0)[:, :, None]
    return likeness.masked_fill(~may, -torch.inf)


def _divide(affinities: list[list[Tensor]]) -> list[list[Tensor]]:
    """Every token goes to the group where its likeness to an anchor is greatest, the first of equals."""
    best = torch.stack([parts[0].amax(dim=1) for parts in affinities])
    mine = best.argmax(dim=0)
    return [
        [part.masked_fill((mine != number)[:, None, :], -torch.inf) for part in parts]
        for number, parts in enumerate(affinities)
    ]


def _absorb(one: Chosen, affinities: list[Tensor]) -> Rows:
    weights = combine.row_weights(one.tokens, one.group.weight, one.group.combine)
    if one.group.sharp and weights.combine != "sequential":
        return _absorb_sharp(one, affinities[0], weights)
    taken = sum(
        (
            part.share * part.behaviour.weights(affinity)
            for part, affinity in zip(one.group.parts, affinities, strict=True)
        ),
        start=torch.zeros_like(affinities[0]),
    )
    own, others = combine.dense(taken, weights, one.anchors)
    hidden = working(one.tokens.hidden)
    made = own[:, :, None] * take_rows(hidden, one.anchors) + others.to(hidden.dtype) @ hidden
    gained = (taken * one.tokens.sizes[:, None, :]).sum(dim=2)
    return Rows(
        made.to(one.tokens.hidden.dtype),
        take_rows(one.tokens.sizes, one.anchors) + gained,
        lambda: others + own[:, :, None] * _one_hot(one.anchors, one.tokens),
    )


def _absorb_sharp(one: Chosen, affinity: Tensor, weights: combine.RowWeights) -> Rows:
    """Every token goes whole to one anchor: scatter instead of a K x N product."""
    images, slots = one.anchors.shape
    best = affinity.max(dim=1)
    target = torch.where(best.values == -torch.inf, slots, best.indices)
    own, share = combine.sharp(target, weights, one.anchors)
    hidden = working(one.tokens.hidden)
    gained = one.tokens.sizes.new_zeros((images, slots + 1)).scatter_add(1, target, one.tokens.sizes)[:, :slots]
    made = own[:, :, None] * take_rows(hidden, one.anchors) + _scatter_rows(share[:, :, None] * hidden, target, slots)

    def weigh() -> Tensor:
        table = share.new_zeros((images, slots + 1, share.shape[1]))
        members = table.scatter(1, target[:, None, :], share[:, None, :])[:, :slots]
        return members + own[:, :, None] * _one_hot(one.anchors, one.tokens)

    return Rows(made.to(one.tokens.hidden.dtype), take_rows(one.tokens.sizes, one.anchors) + gained, weigh)


def _scatter_rows(rows: Tensor, target: Tensor, slots: int) -> Tensor:
    """Sums of rows [G, N, D] by target slot [G, N]; slot K is thrown away: [G, K, D]."""
    images, _, width = rows.shape
    offsets = torch.arange(images, device=rows.device)[:, None] * (slots + 1)
    sums = rows.new_zeros((images * (slots + 1), width)).index_add(0, (target + offsets).flatten(), rows.flatten(0, 1))
    return sums.view(images, slots + 1, width)[:, :slots]
