"""Small tensor helpers that operators share. Shapes: G images, N tokens, K anchors, D features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from eosdsl.diagnostics import SpecError, error

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Feature, Tokens


ROUNDING = 2.4e-7
"""Inner products of vectors of length one differ by as much where the same numbers are added in another order."""


def working(tensor: Tensor) -> Tensor:
    """The tensor in the precision that reductions compute in: at least float32."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))


def raw_features(tokens: Tokens, feature: Feature) -> Tensor:
    """Hidden state, keys or values [G, N, F] as they are. Callers have been given what their probes asked for."""
    found = {"hidden": tokens.hidden, "keys": tokens.keys, "values": tokens.values}[feature]
    if found is None:
        raise ValueError(f"the step reads {feature} but was not given any")
    return found


def features(tokens: Tokens, feature: Feature) -> Tensor:
    """Hidden state, keys or values [G, N, F], at least float32."""
    return working(raw_features(tokens, feature))


def text_features(tokens: Tokens, width: int) -> Tensor:
    """Features of the question [G, T, F], at least float32; SpecError (E0241) where F is not the tokens' width."""
    assert tokens.text is not None, "the probe asked for it"
    if tokens.text.shape[-1] == width:
        return working(tokens.text).to(tokens.hidden.device)
    message = f"`text` has features of width {tokens.text.shape[-1]}; what it is compared with has {width}"
    raise SpecError([error("E0241", message, helps=("both must lie in one space, such as that of CLIP",))])


def unit_rows(rows: Tensor) -> Tensor:
    """Rows scaled to length one; rows of zeros stay zeros."""
    return torch.nn.functional.normalize(rows, dim=-1)


def take_rows(table: Tensor, rows: Tensor) -> Tensor:
    """table [G, N, …] at rows [G, K] → [G, K, …]; a row of -1 takes row 0."""
    rows = rows.clamp(min=0)
    if table.dim() == 2:
        return table.gather(1, rows)
    return rows_of(table, None, rows)


def rows_of(table: Tensor, sequences: Tensor | None, rows: Tensor) -> Tensor:
    """table [B, L, …] at rows [G, N] of the sequences [G], None: of its own each: [G, N, …]."""
    if table.shape[0] == 1 and table.is_contiguous():
        chosen = rows
    else:
        sequences = torch.arange(table.shape[0], device=table.device) if sequences is None else sequences
        if not table.is_contiguous():
            return table[sequences[:, None], rows]
        chosen = rows + sequences[:, None] * table.shape[1]
    # whole rows copied one after the other: a fifth of the time that indexing takes
    return table.flatten(0, 1).index_select(0, chosen.flatten()).view(*rows.shape, *table.shape[2:])


def at_rows(table: Tensor, rows: Tensor | None) -> Tensor:
    """As `take_rows`; all of the table where rows is None."""
    return table if rows is None else take_rows(table, rows)


def feature_rows(tokens: Tokens, feature: Feature, rows: Tensor | None) -> Tensor:
    """Features of rows [G, R] only, None: of all tokens: [G, R, F], at least float32."""
    return working(at_rows(raw_features(tokens, feature), rows))


def present(tokens: Tokens) -> Tensor:
    """[G, N] bool: the rows that exist."""
    if tokens.valid is not None:
        return tokens.valid
    return torch.ones(tokens.hidden.shape[:2], dtype=torch.bool, device=tokens.hidden.device)


def where_all(table: Tensor, masks: Sequence[Tensor]) -> Tensor:
    """The table [G, K, C] where all the bool masks, broadcastable to it, hold, else -inf. The table may be written to.

    A mask of rows or of columns alone is added as 0 or -inf, in place: a tenth of the time of filling by a mask.
    """
    for mask in masks:
        if mask.shape[1] > 1 and mask.shape[2] > 1:
            table = torch.where(mask, table, -torch.inf)
            continue
        bias = torch.zeros(mask.shape, dtype=table.dtype, device=table.device).masked_fill(~mask, -torch.inf)
        table = table + bias if table.requires_grad else table.add_(bias)
    return table


def marked(anchors: Tensor, length: int) -> Tensor:
    """[G, N] bool: the rows that are anchors [G, K]; -1 marks nothing."""
    table = torch.zeros((anchors.shape[0], length + 1), dtype=torch.bool, device=anchors.device)
    return table.scatter(1, torch.where(anchors < 0, length, anchors), True)[:, :length]


def best_first(scores: Tensor, free: Tensor) -> Tensor:
    """Rows [G, N] int64 from the highest score to the lowest, ties to the lower row, rows that are not free last."""
    bounds = torch.finfo(scores.dtype)
    finite = torch.nan_to_num(scores, nan=bounds.min, posinf=bounds.max, neginf=bounds.min)
    return finite.masked_fill(~free, -torch.inf).sort(dim=1, descending=True, stable=True).indices


def first_best(scores: Tensor, scale: Tensor | float = 1.0) -> Tensor:
    """[G]: the first row of scores [G, N] that is the greatest within rounding of numbers as large as `scale`.

    A product of matrices rounds its last columns in another way, so that equals are not always equal to the last bit.
    """
    best = scores.amax(dim=1, keepdim=True)
    return (scores >= best - scale * ROUNDING).int().argmax(dim=1)


def lowest(scores: Tensor, free: Tensor, numbers: Tensor) -> Tensor:
    """[G, N] bool: the `numbers` [G, 1] lowest of `free` [G, N] bool; within rounding of the last they go by row."""
    ordered = scores.masked_fill(~free, torch.inf).sort(dim=1).values
    last = ordered.gather(1, (numbers - 1).clamp(min=0))
    surely = free & (scores < last - ROUNDING)
    equal = free & ~surely & (scores <= last + ROUNDING)
    wanted = numbers - surely.sum(dim=1, keepdim=True)
    return (surely | (equal & (place_among(equal) < wanted))) & (numbers > 0)


def first_rows(order: Tensor, counts: Tensor, most: int) -> Tensor:
    """The first `counts` [G] rows of an order [G, N], ascending, -1 after an image's own count: [G, most]."""
    length = order.shape[1]
    slots = torch.arange(most, device=order.device)
    chosen = torch.where(slots < counts[:, None], order[:, :most], length).sort(dim=1).values
    return torch.where(chosen == length, -1, chosen)


def rows_where(chosen: Tensor, most: int) -> Tensor:
    """The rows where `chosen` [G, N] bool holds, at most `most`, ascending, -1 after an image's own: [G, most]."""
    length = chosen.shape[1]
    rows = torch.arange(length, device=chosen.device)
    found = torch.where(chosen, rows, length).sort(dim=1).values[:, :most]
    return torch.where(found == length, -1, found)


def place_among(rows: Tensor) -> Tensor:
    """[G, N] int64: of every row where `rows` [G, N] bool holds, its place among them, from 0."""
    return rows.long().cumsum(dim=1) - 1


def rank_of(order: Tensor) -> Tensor:
    """The inverse of an order [G, N]: of every row its place in it."""
    return torch.empty_like(order).scatter(1, order, torch.arange(order.shape[1], device=order.device).expand_as(order))


def standardise(scores: Tensor, rows: Tensor) -> Tensor:
    """(score - mean) / deviation per image over `rows` [G, N] bool; constant scores and other rows become zero.

    `rows` may be weights from 0 to 1: how much each row counts.
    """
    weight = rows.to(scores.dtype)
    scores = torch.where(rows > 0, scores, 0.0)
    number = weight.sum(dim=1, keepdim=True).clamp(min=1)
    centred = scores - (scores * weight).sum(dim=1, keepdim=True) / number
    variance = (centred.square() * weight).sum(dim=1, keepdim=True) / number
    # the root of nothing has no gradient
    deviation = variance.clamp(min=torch.finfo(scores.dtype).tiny).sqrt()
    centred = centred * (weight > 0)
    scale = scores.abs().amax(dim=1, keepdim=True)
    constant = deviation <= scale * 1e-6
    return torch.where(constant, torch.zeros_like(centred), centred / deviation.masked_fill(constant, 1))
