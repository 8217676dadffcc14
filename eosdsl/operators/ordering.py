"""In which order a site's rows leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch

from eosdsl.operators.tensors import take_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.choosing import Chosen

Order = Literal["position", "score", "anchors_then_rest"]


def arrange(order: Order, groups: Sequence[Chosen], valid: Tensor | None) -> Tensor | None:
    """Places [G, K] of the rows in the order wanted, padding last; None where they are in order already.

    `position` sorts all rows by their place in the image, rows without an anchor last. The others put group after
    group, as written: with `score` each from its highest score down (by position where it reads no score), with
    `anchors_then_rest` each by position; or as its pick has it.
    """
    if order == "position":
        if len(groups) == 1 and groups[0].tokens.ascending and groups[0].group.pick.anchored:
            return None
        key = torch.cat([_position(one) for one in groups], dim=1)
    else:
        ranks = [_rank(_key(order, one)) for one in groups]
        starts = [sum(rank.shape[1] for rank in ranks[:i]) for i in range(len(ranks))]
        key = torch.cat([rank + start for rank, start in zip(ranks, starts, strict=True)], dim=1).double()
    if valid is not None:
        key = key.masked_fill(~valid, torch.inf)
    return key.argsort(dim=1, stable=True)


def _position(one: Chosen) -> Tensor:
    """[G, k] float64; a row without an anchor comes after all places that there can be."""
    return take_rows(one.tokens.index, one.anchors).double().masked_fill(one.anchors < 0, float(1 << 52))


def _key(order: Order, one: Chosen) -> Tensor:
    """[G, k] float64, ascending in the order wanted within a group."""
    own = one.group.pick.own_order(one.tokens, one.anchors, by_score=order == "score")
    if own is not None:
        return own
    if order == "anchors_then_rest" or not one.group.pick.anchored or one.tokens.scores is None:
        return _position(one)
    return (-take_rows(one.tokens.scores, one.anchors).double()).masked_fill(one.anchors < 0, torch.inf)


def _rank(key: Tensor) -> Tensor:
    """The place of each entry in the ascending order of its row, ties to the first."""
    return key.argsort(dim=1, stable=True).argsort(dim=1)
