"""What becomes of the rest: affinities, who takes in what, and the rows that come out.

Only the columns that can be taken in are looked at: `columns` [G, C] are the rows that no group chose (padded with -1),
or None for all N where a group copies or a support has to see all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from eosdsl.operators import combine
from eosdsl.operators.tensors import at_rows, present, rows_where, take_rows, where_all, working

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens
    from eosdsl.operators.bound import GroupOperators, Part
    from eosdsl.operators.choosing import Choice, Chosen

_HELD = 1 << 20  # entries of a similarity matrix that are held at a time, an image, where only the largest counts


@dataclass(frozen=True)
class Rows:
    """The rows that a group makes: hidden [G, k, D], sizes [G, k], and its part of W [G, k, N] when asked for."""

    hidden: Tensor
    sizes: Tensor
    weigh: Callable[[], Tensor]


@dataclass(frozen=True)
class Columns:
    """The tokens that may be taken in: rows [G, C] or None for all; `rest` [G, C] bool: those that no group chose."""

    rows: Tensor | None
    rest: Tensor


def make_rows(choice: Choice) -> list[Rows]:
    """The rows of all groups, in their order."""
    absorbing = [one for one in choice.groups if _absorbs(one)]
    if not absorbing:
        return [_keep(one) for one in choice.groups]
    columns = _columns(choice, absorbing)
    if len(absorbing) == 1 and _scatters(absorbing[0].group):
        return [
            _absorb_sharp(one, _targets(one, columns), columns) if _absorbs(one) else _keep(one)
            for one in choice.groups
        ]
    affinities = _divide([_affinities(one, columns) for one in absorbing], absorbing)
    made = iter(affinities)
    return [_absorb(one, next(made), columns) if _absorbs(one) else _keep(one) for one in choice.groups]


def _absorbs(one: Chosen) -> bool:
    return one.group.absorbs and one.anchors.shape[1] > 0


def _columns(choice: Choice, absorbing: Sequence[Chosen]) -> Columns:
    if _few_anchors(choice) or any(_reads_all(one.group) for one in absorbing):
        return Columns(None, choice.rest)
    rows = rows_where(choice.rest, choice.rest.shape[1] if choice.left is None else choice.left)
    return Columns(rows, rows >= 0)


def _few_anchors(choice: Choice) -> bool:
    """Whether looking at all tokens, K x K products more, takes less time than copying the others out first."""
    if choice.left is None:
        return False
    kept = choice.rest.shape[1] - choice.left
    return kept * kept < 64 * choice.left


def _reads_all(group: GroupOperators) -> bool:
    return any(part.behaviour.copies or part.support.reads_all for part in group.parts)


def _keep(one: Chosen) -> Rows:
    """The anchors as they are, bit for bit."""
    tokens, anchors = one.tokens, one.anchors
    hidden, sizes = take_rows(tokens.hidden, anchors), take_rows(tokens.sizes, anchors).float()
    if one.counts is not None or not one.group.pick.anchored:
        hidden, sizes = hidden * (anchors >= 0)[:, :, None], sizes * (anchors >= 0)
    return Rows(hidden, sizes, lambda: one_hot(anchors, tokens))


def one_hot(anchors: Tensor, tokens: Tokens) -> Tensor:
    """[G, K, N], at least float32: one at a row's anchor; a row of zeros where it has none."""
    kind = torch.promote_types(tokens.hidden.dtype, torch.float32)
    table = torch.zeros((*anchors.shape, tokens.hidden.shape[1]), device=anchors.device, dtype=kind)
    return table.scatter(2, anchors.clamp(min=0)[:, :, None], (anchors >= 0).to(kind)[:, :, None])


def _affinities(one: Chosen, columns: Columns) -> list[Tensor]:
    """Of all parts of a group. Parts that go by the same likeness share one: it is a product of K x C x D."""
    made: list[tuple[Part, Tensor]] = []
    for part in one.group.parts:
        shared = next((table for other, table in made if _alike(part, other)), None)
        made.append((part, _affinity(one, part, columns) if shared is None else shared))
    return [table for _, table in made]


def _alike(part: Part, other: Part) -> bool:
    """Whether two parts have the same affinity."""
    return (part.similarity, part.support, part.behaviour.copies) == (
        other.similarity,
        other.support,
        other.behaviour.copies,
    )


def _affinity(one: Chosen, part: Part, columns: Columns) -> Tensor:
    """Similarity [G, K, C], -inf where row i may not take token j in."""
    tokens, anchors = one.tokens, one.anchors
    likeness = part.similarity.matrix(tokens, anchors, columns.rows)
    if not one.group.pick.anchored:
        likeness = torch.zeros_like(likeness)
    distance = part.similarity.identical - likeness if part.support.reads_distance else likeness
    may = part.support.mask(tokens, anchors, columns.rows, distance)
    masks = [may, _others(anchors, tokens) if part.behaviour.copies else columns.rest[:, None, :]]
    if one.valid is not None:
        masks.append(one.valid[:, :, None])
    return where_all(likeness, masks)


def _others(anchors: Tensor, tokens: Tokens) -> Tensor:
    """[G, K, N] bool: every token of the image but the anchor itself."""
    return present(tokens)[:, None, :] & (one_hot(anchors, tokens) == 0)


def _divide(affinities: list[list[Tensor]], absorbing: Sequence[Chosen]) -> list[list[Tensor]]:
    """Every token goes to the group where its likeness to an anchor is greatest, the first of equals."""
    rivals = [i for i, one in enumerate(absorbing) if not any(part.behaviour.copies for part in one.group.parts)]
    if len(rivals) < 2:
        return affinities
    mine = torch.stack([affinities[i][0].amax(dim=1) for i in rivals]).argmax(dim=0)
    divided = list(affinities)
    for number, i in enumerate(rivals):
        divided[i] = [part.masked_fill((mine != number)[:, None, :], -torch.inf) for part in affinities[i]]
    return divided


def _scatters(group: GroupOperators) -> bool:
    return group.sharp and group.combine != "sequential"


def _targets(one: Chosen, columns: Columns) -> Tensor:
    """The slot [G, C] of the anchor that takes each token, K where none does; so many columns at a time."""
    many = max(_HELD // one.anchors.shape[1], 1)
    if columns.rows is None or columns.rows.shape[1] <= many:
        return _slots(_affinity(one, one.group.parts[0], columns))
    parts = zip(columns.rows.split(many, dim=1), columns.rest.split(many, dim=1), strict=True)
    return torch.cat([_slots(_affinity(one, one.group.parts[0], Columns(*part))) for part in parts], dim=1)


def _slots(affinity: Tensor) -> Tensor:
    best = affinity.max(dim=1)
    return torch.where(best.values == -torch.inf, affinity.shape[1], best.indices)


def _absorb(one: Chosen, affinities: list[Tensor], columns: Columns) -> Rows:
    if _scatters(one.group):
        return _absorb_sharp(one, _slots(affinities[0]), columns)
    weights = combine.row_weights(one.tokens, one.group.weight, one.group.combine, one.anchors, columns.rows)
    own_sizes, sizes = _sizes(one, columns)
    taken = torch.zeros_like(affinities[0])
    for part, affinity in zip(one.group.parts, affinities, strict=True):
        taken = taken + part.share * part.behaviour.weights(affinity)
    own, others = combine.dense(taken, weights)
    rows = working(at_rows(one.tokens.hidden, columns.rows))
    made = own[:, :, None] * working(take_rows(one.tokens.hidden, one.anchors)) + others.to(rows.dtype) @ rows
    gained = (taken * sizes[:, None, :]).sum(dim=2).float()
    return Rows(made.to(one.tokens.hidden.dtype), own_sizes + gained, lambda: _weights(one, own, others, columns))


def _sizes(one: Chosen, columns: Columns) -> tuple[Tensor, Tensor]:
    """Of the anchors [G, K], zero for a row without one, and of the columns [G, C]."""
    own = take_rows(one.tokens.sizes, one.anchors) * (one.anchors >= 0)
    return own.float(), at_rows(one.tokens.sizes, columns.rows).float()


def _absorb_sharp(one: Chosen, target: Tensor, columns: Columns) -> Rows:
    """Every token goes whole to the anchor at slot target [G, C], or to none (K): scatter, no K x C product."""
    images, slots = one.anchors.shape
    weights = combine.row_weights(one.tokens, one.group.weight, one.group.combine, one.anchors, columns.rows)
    own_sizes, sizes = _sizes(one, columns)
    own, share = combine.sharp(target, weights)
    rows = share[:, :, None] * working(at_rows(one.tokens.hidden, columns.rows))
    made = _scatter_onto(own, one, rows, target)
    gained = sizes.new_zeros((images, slots + 1)).scatter_add(1, target, sizes)[:, :slots]

    def weigh() -> Tensor:
        table = share.new_zeros((images, slots + 1, share.shape[1]))
        return _weights(one, own, table.scatter(1, target[:, None, :], share[:, None, :])[:, :slots], columns)

    return Rows(made.to(one.tokens.hidden.dtype), own_sizes + gained, weigh)


def _weights(one: Chosen, own: Tensor, others: Tensor, columns: Columns) -> Tensor:
    """W [G, K, N] from the anchors' share and that of the columns."""
    whole = own[:, :, None] * one_hot(one.anchors, one.tokens)
    if columns.rows is None:
        return whole + others
    return whole.scatter_add(2, columns.rows.clamp(min=0)[:, None, :].expand_as(others), others.to(whole.dtype))


def _scatter_onto(own: Tensor, one: Chosen, rows: Tensor, target: Tensor) -> Tensor:
    """The anchors' shares of themselves with rows [G, C, D] added by target slot [G, C]: [G, K, D].

    Every pass over K x D counts here: the slot K, where rows of no anchor go, is made with the others and cut off.
    """
    images, slots = one.anchors.shape
    anchors, own = (torch.nn.functional.pad(table, (0, 1)) for table in (one.anchors, own))
    made = own[:, :, None] * working(take_rows(one.tokens.hidden, anchors))
    offsets = torch.arange(images, device=rows.device)[:, None] * (slots + 1)
    made = made.flatten(0, 1).index_add_(0, (target + offsets).flatten(), rows.flatten(0, 1))
    return made.view(images, slots + 1, -1)[:, :slots]
