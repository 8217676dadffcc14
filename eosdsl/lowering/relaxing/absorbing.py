"""What becomes of the rest, softly: every row may be an anchor, by its weight q, and is given up, by its weight d.

    y_i = (w_i x_i + Σ_j E_ij d_j w_j x_j) / (w_i + Σ_j E_ij d_j w_j)        E_ij = A_ij / q_i,  i ≠ j
    A   = q_i · a_ij normalised over i          a: the behaviour's weights if all rows were anchors

y is what row i is if it stays: divided by q, so that what is given up is neither lost nor counted twice, and Σ q m' is
Σ p m. With q and d of zero and one this is the discrete reduction. Sharp merging is reweighting at the temperature that
stands for zero. Scores, similarities, supports and behaviours are those of `eosdsl.operators`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.groups import SoftGroup, SoftPart
from eosdsl.operators.base import Absorbing, Similarity, Tokens
from eosdsl.operators.behaviours.pool import Pool
from eosdsl.operators.behaviours.reweight import Reweight
from eosdsl.operators.combine import row_weights, shares
from eosdsl.operators.supports.everywhere import Everywhere
from eosdsl.operators.tensors import working

ANCHOR = 1e-4
"""Rows of less weight are no anchors: they take nothing in."""


@dataclass(frozen=True)
class Weights:
    """anchor [G, N]: q of a group; given [G, N]: d; present [G, N]: p."""

    anchor: Tensor
    given: Tensor
    present: Tensor


@dataclass(frozen=True)
class Taken:
    """What is taken in by every row: content [G, N, D] (the weighted sum), weight, size, members [G, N] each."""

    content: Tensor
    weight: Tensor
    size: Tensor
    number: Tensor


def absorb(
    group: SoftGroup, tokens: Tokens, weights: Weights, values: Values, held: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Content [G, N, D] (in working precision) and sizes [G, N] of the rows as anchors of the group; held [G, N, E]:
    what rows hold, their hidden states unless told. Of a group with several ways the mean by their probabilities.
    """
    if not group.ways:
        return _absorbed(group, tokens, weights, values, held)
    contents, sizes = 0.0, 0.0
    for number, way in group.ways:
        content, size = _absorbed(way, tokens, weights, values, held)
        share = torch.as_tensor(number(values)).to(size)
        contents, sizes = contents + share.to(content.dtype) * content, sizes + share * size
    assert isinstance(contents, Tensor) and isinstance(sizes, Tensor)
    return contents, sizes


def _absorbed(
    group: SoftGroup, tokens: Tokens, weights: Weights, values: Values, held: Tensor | None
) -> tuple[Tensor, Tensor]:
    every = torch.arange(tokens.hidden.shape[1], device=tokens.hidden.device).expand(tokens.hidden.shape[:2])
    rows = row_weights(tokens, group.weight, group.combine, every, None)
    hidden = working(tokens.hidden if held is None else held)
    likeness: dict[Similarity, Tensor] = {}
    taken: Taken | None = None
    for part in group.parts:
        if _is_even(part):
            one = _evenly(hidden, rows.column, tokens.sizes, weights)
        else:
            one = _by_likeness(part, tokens, hidden, rows.column, weights, values, every, likeness)
        taken = _added(taken, one, part.share(values))
    assert taken is not None, "a group that absorbs has parts"
    own, divisor = shares(rows, taken.weight)
    part = 1 / divisor
    if group.combine == "add_mean":  # the mean of as good as nothing is nothing
        part = part * (taken.number / ANCHOR).clamp(max=1).square()
    content = own[:, :, None] * hidden + taken.content * part[:, :, None].to(hidden.dtype)
    return content, tokens.sizes + taken.size


def claims(group: SoftGroup, tokens: Tokens, anchor: Tensor, values: Values) -> Tensor:
    """[G, N]: the likeness of every token to the anchor of the group that is most like it, without gradient."""
    every = torch.arange(tokens.hidden.shape[1], device=tokens.hidden.device).expand(tokens.hidden.shape[:2])
    with torch.no_grad():
        affinity = _affinity(group.parts[0], tokens, anchor > 0.5, every, {})
        return affinity.amax(dim=1)


def _is_even(part: SoftPart) -> bool:
    return type(part.behaviour) is Pool and isinstance(part.support, Everywhere)


def _added(taken: Taken | None, one: Taken, share: Tensor | float) -> Taken:
    if taken is None and isinstance(share, float) and share == 1.0:
        return one
    small = share.to(one.weight.dtype) if isinstance(share, Tensor) else share
    large = share.to(one.content.dtype) if isinstance(share, Tensor) else share
    content, weight, size = large * one.content, small * one.weight, small * one.size
    if taken is None:
        return Taken(content, weight, size, one.number)
    return Taken(taken.content + content, taken.weight + weight, taken.size + size, taken.number + one.number)


def _evenly(hidden: Tensor, column: Tensor, sizes: Tensor, weights: Weights) -> Taken:
    """Pooling over everything: E_ij = 1 / (Σ q - q_j), the same for all i but j itself. No N x N needed."""
    others = weights.anchor.sum(dim=1, keepdim=True) - weights.anchor
    able = others > ANCHOR
    portion = torch.where(able, weights.given / others.masked_fill(~able, 1.0), 0.0)
    mass = portion * column
    content = mass[:, :, None].to(hidden.dtype) * hidden
    size = portion * sizes
    return Taken(
        content.sum(dim=1, keepdim=True) - content,
        mass.sum(dim=1, keepdim=True) - mass,
        size.sum(dim=1, keepdim=True) - size,
        portion.sum(dim=1, keepdim=True) - portion,
    )


def _by_likeness(
    part: SoftPart,
    tokens: Tokens,
    hidden: Tensor,
    column: Tensor,
    weights: Weights,
    values: Values,
    every: Tensor,
    likeness: dict[Similarity, Tensor],
) -> Taken:
    behaviour = _softened(part, values)
    affinity = _affinity(part, tokens, weights.anchor > ANCHOR, every, likeness)
    table = behaviour.weights(affinity)
    if behaviour.copies:
        portion = weights.present
    else:
        received = (weights.anchor[:, None, :].to(table.dtype) @ table).squeeze(1).float()
        whole = table.sum(dim=1).float()
        able = received > 0
        portion = torch.where(able, weights.given * whole / received.masked_fill(~able, 1.0), 0.0)
    mass = portion * column
    content = table.to(hidden.dtype) @ (mass[:, :, None].to(hidden.dtype) * hidden)
    sums = (table @ torch.stack([mass, portion * tokens.sizes, portion], dim=2).to(table.dtype)).float()
    return Taken(content, *sums.unbind(dim=2))


def _softened(part: SoftPart, values: Values) -> Absorbing:
    """The behaviour with its open parameters as they are now; a sharp one at the temperature that stands for zero."""
    if part.behaviour.sharp:
        return Reweight.model_construct(temperature=values.temperatures.merge)
    given: Mapping[str, Tensor] = {name: values.number(point).float() for name, point in part.open_parameters}
    return part.behaviour.model_copy(update=dict(given)) if given else part.behaviour


def _affinity(
    part: SoftPart, tokens: Tokens, anchors: Tensor, every: Tensor, likeness: dict[Similarity, Tensor]
) -> Tensor:
    """Similarity [G, N, N] of row i to token j, -inf where i is no anchor, is j, or may not take j in."""
    similarity = part.similarity
    if similarity not in likeness:
        likeness[similarity] = similarity.matrix(tokens, None if similarity.takes_all else every, None)
    table = likeness[similarity]
    length = table.shape[1]
    barred = ~anchors[:, :, None] | torch.eye(length, dtype=torch.bool, device=table.device)
    if not isinstance(part.support, Everywhere):
        barred = barred | ~part.support.mask(tokens, every, None, similarity.identical - table.detach())
    return table.masked_fill(barred, -torch.inf)
