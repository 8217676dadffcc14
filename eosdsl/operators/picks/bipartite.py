"""Bipartite matching: which tokens have a twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, Similarity, Support, Tokens, feature_probes
from eosdsl.operators.similarities.cosine import Cosine

if TYPE_CHECKING:
    from torch import Tensor

Side = Literal["even", "odd"]


class Bipartite(Pick):
    """Bipartite soft matching (ToMe, arXiv 2210.09461): tokens with a twin are given up, all others are anchors.

    Tokens are split alternately, in the order in which they stand, into sources (the even ones from 0, or the odd ones)
    and destinations. Every source has one edge, to the destination most like it by cosine; sources with the strongest
    edges are given up, and may go into destinations only. More than all sources cannot be: beyond that the
    destinations with the weakest edges go as well. Reads no score. `order: anchors_then_rest` puts sources that stayed
    before destinations, `order: score` the former by falling edge.
    """

    name: ClassVar[str] = "bipartite"

    on: Feature = Field(default="keys", description="which features")
    sources: Side = Field(default="even", description="which tokens may be given up")

    @property
    def uses_score(self) -> bool:
        return False

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on)

    def own_similarity(self) -> Similarity | None:
        return Cosine(of=self.on)

    def own_support(self) -> Support | None:
        return IntoDestinations(sources=self.sources)

    def macs(self, context: CostContext) -> int:
        half = context.tokens // 2
        return half * (context.tokens - half) * context.feature_width(self.on)

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.tensors import best_first, rank_of, rows_where

        is_source = source_rows(tokens, self.sources) & free
        edge = self._edges(tokens, free)
        given = (free.sum(dim=1) - counts)[:, None]
        # sources from the strongest edge, then destinations from the weakest
        first = rank_of(best_first(torch.where(is_source, edge, -torch.inf), is_source))
        number = is_source.sum(dim=1, keepdim=True)
        then = number + rank_of(best_first(-edge, free & ~is_source))
        goes = free & (torch.where(is_source, first, then) < given)
        return rows_where(free & ~goes, most)

    def own_order(self, tokens: Tokens, anchors: Tensor, *, by_score: bool) -> Tensor | None:
        import torch

        from eosdsl.operators.tensors import best_first, rank_of, take_rows

        length = tokens.index.shape[1]
        is_source = source_rows(tokens, self.sources)
        row = torch.arange(length, device=anchors.device).expand_as(is_source)
        free = tokens.free if tokens.free is not None else torch.ones_like(is_source)
        by_edge = rank_of(best_first(self._edges(tokens, free), is_source)) if by_score else row
        return take_rows(torch.where(is_source, by_edge, length + row), anchors).double()

    def _edges(self, tokens: Tokens, free: Tensor) -> Tensor:
        """[G, N]: the greatest cosine of a source to a free destination and of a destination to a source, else -inf."""
        import torch

        from eosdsl.operators.neighbours import best_products
        from eosdsl.operators.tensors import feature_rows, unit_rows

        rows = _in_order(tokens)
        odd, even = (rows[:, 1::2], rows[:, 0::2]) if self.sources == "odd" else (rows[:, 0::2], rows[:, 1::2])
        sources, destinations = odd, even
        left = unit_rows(feature_rows(tokens, self.on, sources).detach())
        right = unit_rows(feature_rows(tokens, self.on, destinations).detach())
        edge = left.new_full(rows.shape, -torch.inf)
        if sources.shape[1] and destinations.shape[1]:
            masks = (free.gather(1, sources)[:, :, None], free.gather(1, destinations)[:, None, :])
            best = best_products(left, right, masks)
            edge = edge.scatter(1, sources, best[0]).scatter(1, destinations, best[1])
        return edge


class IntoDestinations(Support):
    """Only destinations of a bipartite matching take tokens in."""

    name: ClassVar[str] = "destinations"
    reads_distance: ClassVar[bool] = False

    sources: Side

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        from eosdsl.operators.tensors import take_rows

        return ~take_rows(source_rows(tokens, self.sources), anchors)[:, :, None]


def source_rows(tokens: Tokens, sources: Side) -> Tensor:
    """[G, N] bool: every other of the tokens present, in the order in which they stand."""
    from eosdsl.operators.tensors import place_among, present

    rows = present(tokens)
    return rows & (place_among(rows) % 2 == (0 if sources == "even" else 1))


def _in_order(tokens: Tokens) -> Tensor:
    """[G, N] int64: the rows that exist, as they stand, then the others."""
    import torch

    rows = torch.arange(tokens.index.shape[1], device=tokens.index.device).expand_as(tokens.index)
    return rows if tokens.valid is None else rows.gather(1, (~tokens.valid).long().argsort(dim=1, stable=True))
