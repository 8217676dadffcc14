"""A soft choice of the k highest scores: exactly k in sum, differentiable in scores, presence and k."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

_WAYS = 16  # candidate thresholds that are tried at once
_ROUNDS = 9  # 16^9 > 2^32 parts of the range of scores
_REACH = 40.0  # temperatures beyond the scores at which all or nothing is chosen


def soft_top_k(scores: Tensor, presence: Tensor, wanted: Tensor, temperature: float) -> Tensor:
    """log z [G, N]: z = σ((score - ν) / temperature), with ν such that Σ presence · z = wanted.

    scores [G, N]; presence [G, N] from 0 to 1; wanted [G], cut to Σ presence. ν is searched without gradient, then
    moved by one Newton step of zero length, whose derivative is that of the implicit function.
    """
    wanted = torch.minimum(wanted.to(scores.dtype), presence.sum(dim=1))
    threshold = soft_threshold(scores, presence, wanted, temperature)
    return F.logsigmoid((scores - threshold[:, None]) / temperature)


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
