"""In which order a site's rows leave it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import torch

from eosdsl.operators.tensors import take_rows

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens

Order = Literal["position", "score", "anchors_then_rest"]


def arrange(
    order: Order, tokens: Tokens, groups: Sequence[tuple[Tensor, Tensor | None]], *, padded: bool
) -> Tensor | None:
    """Places [G, K] of the rows in the order wanted, padding last; None where they are in order already.

    groups: anchors [G, k] of each group, by position, and its scores [G, N]. `position` sorts all rows by their
    place in the image; `score` puts group after group, each from its highest score down; `anchors_then_rest` puts
    group after group, each by position.
    """
    anchors = torch.cat([rows for rows, _ in groups], dim=1)
    alone = len(groups) == 1 and tokens.ascending
    if alone and order != "score":
        return None
    keys = [_key(order, tokens, rows, scores) for rows, scores in groups]
    if order == "position":
        key = torch.cat(keys, dim=1)
    else:
        key = torch.cat([_rank(one) + 0.0 + offset for one, offset in zip(keys, _offsets(keys), strict=True)], dim=1)
    if padded:
        key = key.masked_fill(anchors < 0, torch.inf)
    return key.argsort(dim=1, stable=True)


def _key(order: Order, tokens: Tokens, anchors: Tensor, scores: Tensor | None) -> Tensor:
    """[G, k] float64, ascending in the order wanted within a group."""
    if order == "score":
        assert scores is not None, "rows ordered by score have scores"
        return -take_rows(scores, anchors).double()
    return take_rows(tokens.index, anchors).double()


def _rank(key: Tensor) -> Tensor:
    """The place of each entry in the ascending order of its row, ties to the first."""
    return key.argsort(dim=1, stable=True).argsort(dim=1)


def _offsets(keys: Sequence[Tensor]) -> list[int]:
    starts = [0]
    for key in keys:
        starts.append(starts[-1] + key.shape[1])
    return starts[:-1]
