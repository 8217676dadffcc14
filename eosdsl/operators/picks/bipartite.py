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

        from eosdsl.operators.tensors import best_first, rows_where

        edge = self._edges(tokens, free).double().clamp(-2, 2)
        given = (free.sum(dim=1) - counts)[:, None]
        # sources from the strongest edge, then destinations from the weakest: 5 is above all that -edge can be
        order = best_first(torch.where(source_rows(tokens, self.sources), edge + 5, -edge), free)
        goes = (torch.arange(order.shape[1], device=order.device) < given).expand_as(order)
        return rows_where(free & ~torch.zeros_like(goes).scatter(1, order, goes), most)

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
        units = unit_rows(feature_rows(tokens, self.on, None if tokens.valid is None else rows).detach())
        first = 1 if self.sources == "odd" else 0
        sources, destinations = rows[:, first::2], rows[:, 1 - first :: 2]
        left, right = units[:, first::2], units[:, 1 - first :: 2]
        edge = units.new_full(rows.shape, -torch.inf)
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
    import torch

    from eosdsl.operators.tensors import place_among

    odd = 0 if sources == "even" else 1
    if tokens.valid is None:
        return (torch.arange(tokens.index.shape[1], device=tokens.index.device) % 2 == odd).expand_as(tokens.index)
    return tokens.valid & (place_among(tokens.valid) % 2 == odd)


def _in_order(tokens: Tokens) -> Tensor:
    """[G, N] int64: the rows that exist, as they stand, then the others."""
    import torch

    rows = torch.arange(tokens.index.shape[1], device=tokens.index.device).expand_as(tokens.index)
    return rows if tokens.valid is None else rows.gather(1, (~tokens.valid).long().argsort(dim=1, stable=True))
