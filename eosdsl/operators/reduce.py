"""A site's reduction: choose anchors group by group, let them take in the rest, put the rows in order.

    y_i = (m_i x_i + Σ_j A_ij m_j x_j) / (m_i + Σ_j A_ij m_j)        m'_i = m_i + Σ_j A_ij m_j

computed in float32 at least and cast back. Pruning is a plain gather, sharp merging scatters, W is built on request.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from eosdsl.operators.absorbing import make_rows
from eosdsl.operators.base import Reduction, Tokens
from eosdsl.operators.bound import GroupOperators, bind_groups
from eosdsl.operators.choosing import Choice, choose
from eosdsl.operators.ordering import Order, arrange
from eosdsl.operators.tensors import at_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.ir.nodes import Bookkeeping
    from eosdsl.ir.schedule import BoundGroup


def reduce_tokens(
    groups: Sequence[BoundGroup], bookkeeping: Bookkeeping, tokens: Tokens, counts: Sequence[Tensor | int | None]
) -> Reduction:
    """Reduce all images at one site.

    counts: per group the anchors wanted: int64 [G], or one int for every image alike (then shapes are static and
    nothing synchronises; tensors are best on the CPU for the same reason), or None for a budget that depends on the
    image. More than there are is cut to all.
    """
    return reduce_bound(bind_groups(groups), bookkeeping.order, tokens, counts)


def reduce_bound(
    groups: Sequence[GroupOperators], order: Order, tokens: Tokens, counts: Sequence[Tensor | int | None]
) -> Reduction:
    """As `reduce_tokens`, for groups that are bound already."""
    choice = choose(groups, tokens, counts)
    rows = make_rows(choice)
    valid = _valid(choice)
    places = arrange(order, choice.groups, valid)

    def weigh() -> Tensor:
        table = torch.cat([one.weigh() for one in rows], dim=1)
        table = table if valid is None else table * valid[:, :, None]
        return at_rows(table, places)

    hidden = torch.cat([one.hidden for one in rows], dim=1) if len(rows) > 1 else rows[0].hidden
    sizes = torch.cat([one.sizes for one in rows], dim=1) if len(rows) > 1 else rows[0].sizes
    if valid is not None:
        hidden, sizes = hidden * valid[:, :, None], sizes * valid
    anchors = torch.cat([one.anchors for one in choice.groups], dim=1)
    return Reduction(
        at_rows(hidden, places),
        at_rows(anchors, places),
        at_rows(sizes, places),
        None if valid is None else at_rows(valid, places),
        weigh,
    )


def _valid(choice: Choice) -> Tensor | None:
    """[G, K] bool: the rows that count, group after group; None where all do."""
    if all(one.counts is None for one in choice.groups):
        return None
    every = [one.valid if one.valid is not None else torch.ones_like(one.anchors).bool() for one in choice.groups]
    return torch.cat(every, dim=1)
