"""What is left when near-duplicates are dropped in rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Distinct(Pick):
    """Drop near-duplicates in rounds until K are left (VisPruner, ICCV 2025).

    Tokens stand in order of score. In a round every first, third, … is compared with every second, fourth, …; of the
    former the `per_round` with the greatest cosine to one of the latter are dropped, the others go on, most similar
    first, followed by the latter. An odd number of tokens is no trouble.
    """

    name: ClassVar[str] = "distinct"

    per_round: int = Field(default=8, ge=1, description="how many are dropped in a round, at most")
    on: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on)

    def macs(self, context: CostContext) -> int:
        return context.tokens * context.tokens * context.feature_width(self.on)

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.tensors import best_first, features, first_rows, unit_rows

        units = unit_rows(features(tokens, self.on).detach())
        cosines = units @ units.transpose(1, 2)
        order = best_first(scores, free)
        alive = free.sum(dim=1)
        while bool((alive > counts).any()):
            longest = int(alive.max())
            now = order[:, :longest]
            first, second = now[:, 0::2], now[:, 1::2]
            there = torch.arange(longest, device=free.device) < alive[:, None]
            likeness = _nearest(cosines, first, torch.where(there[:, 1::2], second, -1))
            ranked = first.gather(1, best_first(likeness, there[:, 0::2]))
            drop = torch.minimum((alive - counts).clamp(min=0, max=self.per_round), (alive + 1) // 2)
            order = torch.cat([_next_round(now, ranked, second, alive, drop), order[:, longest:]], dim=1)
            alive = alive - drop
        return first_rows(order, counts, most)


def _nearest(cosines: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Of rows first [G, R] the largest cosine to one of rows second [G, S], -1 counting for none: [G, R]."""
    import torch

    from eosdsl.operators.neighbours import blocks
    from eosdsl.operators.tensors import marked, take_rows, where_all

    if not second.shape[1]:
        return cosines.new_zeros(first.shape)
    among = marked(second, cosines.shape[2])[:, None, :]
    parts = [where_all(take_rows(cosines, first[:, part]), [among]).amax(dim=2) for part in blocks(first.shape[1])]
    return torch.cat(parts, dim=1)


def _next_round(order: Tensor, ranked: Tensor, even: Tensor, alive: Tensor, drop: Tensor) -> Tensor:
    """The compared tokens that stay, most similar first, then those they were compared with, then all the dropped.

    An image that drops nothing keeps its order.
    """
    import torch

    firsts, seconds = (alive + 1) // 2, alive // 2
    slot = torch.arange(ranked.shape[1], device=order.device)
    length = order.shape[1]
    goes = slot < drop[:, None]
    key_ranked = torch.where(goes | (slot >= firsts[:, None]), 2 * length + slot, slot)
    other = torch.arange(even.shape[1], device=order.device)
    key_even = torch.where(other < seconds[:, None], length + other, 3 * length + other)
    both = torch.cat([ranked, even], dim=1)
    sorted_places = torch.cat([key_ranked, key_even], dim=1).argsort(dim=1)
    return torch.where((drop > 0)[:, None], both.gather(1, sorted_places), order)
