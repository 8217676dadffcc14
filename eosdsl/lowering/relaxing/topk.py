"""A soft choice of the k highest scores: exactly k in sum, differentiable in scores, presence and k."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_WAYS = 16  # candidate thresholds that are tried at once
_ROUNDS = 9  # 16^9 > 2^32 parts of the range of scores
_REACH = 40.0  # temperatures beyond the scores at which all or nothing is chosen
_COLD = 1e-3  # below, rows of equal scores no longer share what is left for them
_EXACT = 1e-2  # what rounding makes of all or nothing of a row
_GONE = 1e-30


def soft_top_k(scores: Tensor, presence: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """log z [G, N]: z = σ((score - ν) / temperature), with ν such that Σ presence · z = wanted.

    scores [G, N]; presence [G, N] from 0 to 1; wanted [G], cut to Σ presence. ν is searched without gradient, then
    moved by one Newton step of zero length, whose derivative is that of the implicit function. Rows of equal scores
    have equal z, until it is cold: then the first of them come first, as in a discrete program.
    """
    wanted = torch.minimum(wanted.to(scores.dtype), presence.sum(dim=1))
    threshold = soft_threshold(scores, presence, wanted, temperature)
    log_z = F.logsigmoid((scores - threshold[:, None]) / temperature)
    if temperature >= _COLD:
        return log_z
    return log_z + (_first_of_equals(scores, presence, log_z) - log_z).detach()


@torch.no_grad()
def _first_of_equals(scores: Tensor, presence: Tensor, log_z: Tensor) -> Tensor:
    """log z [G, N] with what rows of one score have together given to the first of them."""
    order = scores.argsort(dim=1, descending=True, stable=True)
    ranked, there = scores.gather(1, order), presence.gather(1, order)
    mass = there * log_z.exp().gather(1, order)
    opens = F.pad(ranked[:, 1:] != ranked[:, :-1], (1, 0), value=True)
    own = opens.long().cumsum(dim=1) - 1
    together = torch.zeros_like(mass).scatter_add(1, own, mass).gather(1, own)
    before = there.cumsum(dim=1) - there
    earlier = before - before.masked_fill(~opens, 0.0).cummax(dim=1).values
    filled = ((together - earlier) / there.clamp(min=_GONE)).clamp(min=0.0, max=1.0)
    filled = torch.where((filled - filled.round()).abs() < _EXACT, filled.round(), filled)
    alone = opens & F.pad(opens[:, 1:], (0, 1), value=True)
    found = torch.where(alone, log_z.gather(1, order), filled.clamp(min=_GONE).log())
    return torch.zeros_like(log_z).scatter(1, order, found)


def soft_threshold(scores: Tensor, presence: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """ν [G] with Σ presence · σ((score - ν) / temperature) = wanted; arguments as of `soft_top_k`."""
    with torch.no_grad():
        threshold = _threshold(scores, presence, wanted, temperature)
        above = (scores - threshold[:, None]) / temperature
        # not z (1 - z): where everything is wanted, 1 - z is less than what a float has beside one
        slope = (presence * above.sigmoid() * (-above).sigmoid()).sum(dim=1).clamp(min=1e-30) / temperature
    excess = (presence * ((scores - threshold[:, None]) / temperature).sigmoid()).sum(dim=1) - wanted
    return threshold + (excess - excess.detach()) / slope


def _threshold(scores: Tensor, presence: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """ν [G] by cutting the range into parts, the count at all cuts at once."""
    there = presence > 0
    low = scores.masked_fill(~there, torch.inf).amin(dim=1) - _REACH * temperature
    high = scores.masked_fill(~there, -torch.inf).amax(dim=1) + _REACH * temperature
    steps = torch.arange(1, _WAYS, device=scores.device, dtype=scores.dtype) / _WAYS
    for _ in range(_ROUNDS):
        cuts = low[:, None] + (high - low)[:, None] * steps
        z = ((scores[:, :, None] - cuts[:, None, :]) / temperature).sigmoid()
        above = (torch.einsum("gn,gnc->gc", presence, z) >= wanted[:, None]).sum(dim=1)
        width = (high - low) / _WAYS
        low = low + width * above
        high = low + width
    return (low + high) / 2
