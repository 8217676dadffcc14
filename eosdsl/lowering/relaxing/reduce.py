"""A site's reduction, softly: rows fade instead of going.

Each group takes a part of what earlier ones left: of row i, with a_i of it available, q_i = a_i z_i, Σ q = k. What all
groups together take stays, p' = p (1 - g + g Z), where g is the gate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from eosdsl.lowering.relaxing.absorbing import Weights, absorb, claims
from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.groups import SoftGroup
from eosdsl.lowering.relaxing.topk import soft_top_k
from eosdsl.operators.base import Pick, Tokens
from eosdsl.operators.scoring import evaluate
from eosdsl.operators.tensors import marked, standardise

GONE = 1e-30
"""The presence of a row that is gone: its logarithm, about -69, leaves nothing of it in a softmax."""

LEAST = -138.0
"""The least logarithm of a presence: half precision still holds it."""

_LEFT = 0.01
"""The share, times the temperature, that a site gives up of what arrives even if it asks for more."""

_NEVER = 1e-3
"""A pick of less probability is not tried: choosing takes time."""

Counts = Callable[[Tensor], list[Tensor]]
"""From the tokens [G] that arrive, those that each group is to keep."""


@dataclass(frozen=True)
class Faded:
    """The rows behind a site: content [G, N, D], None where it is unchanged; log_presence and sizes [G, N]; later
    [G, N, D] each: what layers behind it add to them."""

    hidden: Tensor | None
    log_presence: Tensor
    sizes: Tensor
    later: tuple[Tensor, ...] = ()


@dataclass(frozen=True, eq=False)
class _Chosen:
    """A group, the tokens as it sees them, z [G, N] and its logarithm."""

    group: SoftGroup
    tokens: Tokens
    z: Tensor
    log_z: Tensor
    available: Tensor

    @property
    def anchor(self) -> Tensor:
        return self.available * self.z


def fade(
    groups: Sequence[SoftGroup],
    tokens: Tokens,
    log_presence: Tensor,
    counts: Counts,
    values: Values,
    gate: Tensor | None,
    later: tuple[Tensor, ...] = (),
) -> Faded:
    """Reduce all images at one site; `gate`: the logit of its openness, None where it is open; later [G, N, D] each:
    what layers behind the site will add to the rows."""
    assert tokens.valid is not None
    presence = log_presence.exp() * tokens.valid
    there = tokens.valid & (presence > 0.5)
    seen = replace(tokens, valid=there, presence=presence)
    chosen = _choose(groups, seen, presence, counts, values)
    log_kept = _log_kept(chosen)
    log_factor = log_kept if gate is None else torch.logaddexp(F.logsigmoid(-gate), F.logsigmoid(gate) + log_kept)
    log_factor = log_factor.to(log_presence.dtype)
    behind = (log_presence + log_factor).clamp(min=LEAST)
    absorbing = [one for one in chosen if one.group.parts]
    if not absorbing:
        return Faded(None, behind, tokens.sizes, later)
    before = torch.cat([tokens.hidden, *(one.to(tokens.hidden.dtype) for one in later)], dim=-1)
    held, sizes = before, tokens.sizes
    given = chosen[-1].available * (1 - chosen[-1].z)
    for one, own in zip(absorbing, _divided(absorbing, given, values), strict=True):
        content, size = absorb(one.group, one.tokens, Weights(one.anchor, own, presence), values, before)
        portion = _portion(one, chosen, gate, log_factor)
        held = held + (portion[:, :, None] * (content - before)).to(held.dtype)
        sizes = sizes + portion * (size - tokens.sizes)
    hidden, *added = held.split(tokens.hidden.shape[-1], dim=-1)
    return Faded(hidden, behind, sizes, tuple(added))


def _choose(
    groups: Sequence[SoftGroup], seen: Tokens, presence: Tensor, counts: Counts, values: Values
) -> list[_Chosen]:
    wanted = counts(presence.sum(dim=1).double())
    available, left = presence, torch.ones_like(presence)
    chosen: list[_Chosen] = []
    for group, count in zip(groups, wanted, strict=True):
        assert seen.valid is not None
        own = replace(seen, free=seen.valid & (left > 0.5))
        if group.needs_scores:
            own = replace(own, scores=evaluate(group.score.at(values), own))
        z, log_z = _picked(group, own, available, count, values)
        chosen.append(_Chosen(group, own, z, log_z, available))
        available, left = available * (1 - z), left * (1 - z)
    return chosen


def _picked(
    group: SoftGroup, tokens: Tokens, available: Tensor, count: Tensor, values: Values
) -> tuple[Tensor, Tensor]:
    """z [G, N] with Σ available · z = count, and its logarithm: the mean of the picks by their probabilities."""
    count = _had(count, available.sum(dim=1).to(count.dtype), values)
    if len(group.picks) == 1 and group.picks[0][1].ranks:
        log_z = _softly(tokens, available, count, values)
        return log_z.exp(), log_z
    z = torch.zeros_like(available)
    for number, pick in group.picks:
        weight = number(values)
        if float(weight.detach() if isinstance(weight, Tensor) else weight) < _NEVER:
            continue
        one = _softly(tokens, available, count, values).exp() if pick.ranks else _hard(pick, tokens, count)
        z = z + (weight.to(z.dtype) if isinstance(weight, Tensor) else weight) * one
    return z, z.clamp(min=GONE).log()


def _had(asked: Tensor, there: Tensor, values: Values) -> Tensor:
    """What a group gets [G] of what it asks for: no more than is there.

    A budget of more than arrives goes on having a gradient, that of keeping nearly all: else a site behind a narrow one
    could never learn to give up anything.
    """
    most = there * (1 - _LEFT * values.temperatures.topk)
    beyond = asked - asked.detach()
    return torch.minimum(asked, most) + torch.where(asked > most, beyond, torch.zeros_like(beyond))


def _softly(tokens: Tokens, available: Tensor, count: Tensor, values: Values) -> Tensor:
    assert tokens.scores is not None
    scores = standardise(tokens.scores.to(available.dtype), available)
    return soft_top_k(scores, available, count, values.temperatures.topk)


def _hard(pick: Pick, tokens: Tokens, count: Tensor) -> Tensor:
    """The anchors of a pick, 0 or 1: chosen without gradient. Between two whole counts what lies between the choices
    for both, so that the budget has one: what the next token is worth.
    """
    assert tokens.free is not None
    free, grid = tokens.free, tokens.grid
    scores = (tokens.scores if tokens.scores is not None else tokens.sizes).detach()
    seen = replace(tokens, hidden=tokens.hidden.detach(), scores=scores)
    there = free.sum(dim=1)
    own = pick.own_count(free.shape[1], grid)
    if own is not None:
        count = torch.where(there == free.shape[1], count.new_tensor(float(own)), count)
    low = count.detach().floor()
    part = count - low
    most = int(torch.minimum(low + (part.detach() > 0), there).max())
    below = _marked(pick, seen, scores, torch.minimum(low.long(), there), most)
    if not bool((part.detach() > 0).any()):
        return below.to(scores.dtype)
    above = _marked(pick, seen, scores, torch.minimum(low.long() + 1, there), most).to(scores.dtype)
    part = part.to(scores.dtype)[:, None]
    return below.to(scores.dtype) * (1 - part) + above * part


@torch.no_grad()
def _marked(pick: Pick, tokens: Tokens, scores: Tensor, counts: Tensor, most: int) -> Tensor:
    assert tokens.free is not None
    return marked(pick.select(tokens, scores, tokens.free, counts, most), tokens.free.shape[1])


def _log_kept(chosen: Sequence[_Chosen]) -> Tensor:
    """log Z [G, N]: that a row stays in some group."""
    if len(chosen) == 1:
        return chosen[0].log_z
    left = torch.ones_like(chosen[0].z)
    for one in chosen:
        left = left * (1 - one.z)
    return (1 - left).clamp(min=GONE).log()


def _portion(one: _Chosen, chosen: Sequence[_Chosen], gate: Tensor | None, log_factor: Tensor) -> Tensor:
    """[G, N]: of what stays of a row, the part that is an anchor of this group."""
    if len(chosen) == 1 and gate is None:
        return torch.ones_like(one.z)
    log_part = one.log_z if gate is None else one.log_z + F.logsigmoid(gate).to(one.log_z.dtype)
    for earlier in chosen[: chosen.index(one)]:
        log_part = log_part + torch.log1p(-earlier.z.clamp(max=1 - 1e-7))
    return (log_part - log_factor).exp()


def _divided(absorbing: Sequence[_Chosen], given: Tensor, values: Values) -> list[Tensor]:
    """What of `given` each group takes in: a token goes where its likeness to an anchor is greatest."""
    rivals = [i for i, one in enumerate(absorbing) if not any(part.behaviour.copies for part in one.group.parts)]
    if len(rivals) < 2:
        return [given] * len(absorbing)
    mine = torch.stack(
        [claims(absorbing[i].group, absorbing[i].tokens, absorbing[i].anchor, values) for i in rivals]
    ).argmax(dim=0)
    return [given * (mine == rivals.index(i)) if i in rivals else given for i in range(len(absorbing))]
