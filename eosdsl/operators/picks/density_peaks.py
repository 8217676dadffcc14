"""Centres of density."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Pick, Probe, Similarity, Support, Tokens, feature_probes
from eosdsl.operators.candidates import Candidates, candidates
from eosdsl.operators.similarities.cosine import Cosine
from eosdsl.operators.similarities.euclidean import Euclidean

if TYPE_CHECKING:
    from torch import Tensor

_KEPT = 1024  # up to so many tokens their distances are kept, beyond they are made twice: memory grows with N


class DensityPeaks(Pick):
    """Tokens in dense places that are far from denser ones (DPC; with `k` neighbours DPC-kNN, as in SparseVLM).

    Density is exp(-mean squared distance to the k nearest tokens, itself counted), or with `kernel: gaussian` the sum
    of exp(-(distance / spread)²) over all; the peaks have the greatest density times distance to a denser token.
    Distances are Euclidean over √D, or 1 - cosine. `among` looks only at the best of what is left by score (SparseVLM,
    arXiv 2410.04417: 30%), and only these are taken in. With the budget `distance` a token is a centre if no denser
    centre is near (PACT, arXiv 2504.08966). Brings its distance along as the similarity.
    """

    name: ClassVar[str] = "density_peaks"

    k: int = Field(default=5, ge=1, description="neighbours that make density")
    on: Feature = Field(default="hidden", description="which features")
    by: Literal["euclidean", "cosine"] = Field(default="euclidean", description="which distance")
    kernel: Literal["nearest", "gaussian"] = Field(default="nearest", description="how density is felt")
    spread: float = Field(default=2.0, gt=0, description="width of the gaussian kernel")
    among: Fraction = Field(default=Fraction(1), gt=0, le=1, description="the best share of what is left, by score")

    @property
    def uses_score(self) -> bool:
        return self.among < 1

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.on)

    def own_similarity(self) -> Similarity | None:
        return Cosine(of=self.on) if self.by == "cosine" else Euclidean(of=self.on)

    def own_support(self) -> Support | None:
        return Candidates(share=self.among) if self.among < 1 else None

    def macs(self, context: CostContext) -> int:
        looked_at = -(-context.tokens * self.among.numerator // self.among.denominator)
        return looked_at * looked_at * context.feature_width(self.on)

    def priority(self, tokens: Tokens, scores: Tensor) -> Tensor:
        """The density; -inf for what is not looked at."""
        import torch

        free = tokens.free
        assert free is not None, "the reduction fills it in"
        looked_at = candidates(scores, free, self.among)
        return self._density(self._distances(self._table(tokens), looked_at)).masked_fill(~looked_at, -torch.inf)

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        import torch

        from eosdsl.operators.tensors import best_first, first_rows, rank_of

        looked_at = candidates(scores, free, self.among)
        distances = self._distances_of(self._table(tokens), looked_at)
        density = self._density(distances())
        apart = self._to_denser(distances(), density, looked_at)
        # where more are wanted than are looked at, the others follow by score
        others = -1.0 - rank_of(best_first(scores, free)).to(density.dtype)
        return first_rows(best_first(torch.where(looked_at, density * apart, others), free), counts, most)

    def _table(self, tokens: Tokens) -> Tensor:
        """The features [G, N, F] among which distances are."""
        from eosdsl.operators.tensors import features, unit_rows

        table = features(tokens, self.on).detach()
        return unit_rows(table) if self.by == "cosine" else table

    def _distances(self, table: Tensor, looked_at: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Rows and their distances [G, R, N], block after block: zero to themselves, inf to what is not looked at."""
        from eosdsl.operators.neighbours import blocks, euclidean

        for rows in blocks(table.shape[1]):
            if self.by == "cosine":
                distances = 1 - table[:, rows] @ table.transpose(1, 2)
            else:
                distances = euclidean(table[:, rows], table)
            distances.diagonal(rows.start, dim1=1, dim2=2).fill_(0.0)
            yield rows, distances.masked_fill_(~looked_at[:, None, :], math.inf)

    def _distances_of(self, table: Tensor, looked_at: Tensor) -> Callable[[], Iterable[tuple[slice, Tensor]]]:
        """What gives all distances as often as it is asked."""
        if table.shape[1] > _KEPT:
            return lambda: self._distances(table, looked_at)
        kept = [*self._distances(table, looked_at)]
        return lambda: kept

    def _density(self, every: Iterable[tuple[slice, Tensor]]) -> Tensor:
        """[G, N], of the distances of all rows."""
        import torch

        return torch.cat([self._felt(distances) for _, distances in every], dim=1)

    def _felt(self, distances: Tensor) -> Tensor:
        """The density [G, R] of rows with these distances [G, R, N]."""
        if self.kernel == "gaussian":
            return (-(distances / self.spread).square()).exp().sum(dim=2)
        nearest = distances.topk(min(self.k, distances.shape[2]), dim=2, largest=False).values.square()
        there = nearest.isfinite()
        return (-nearest.where(there, 0.0).sum(dim=2) / there.sum(dim=2).clamp(min=1)).exp()

    def _to_denser(self, every: Iterable[tuple[slice, Tensor]], density: Tensor, looked_at: Tensor) -> Tensor:
        """Distance [G, N] to the nearest denser token, of equals the earlier; for the densest, the largest of all."""
        import torch

        place = torch.arange(density.shape[1], device=density.device)
        apart: list[Tensor] = []
        farthest = density.new_zeros(density.shape[0])
        for rows, distances in every:
            own = density[:, rows, None]
            before = (density[:, None, :] == own) & (place < place[rows, None])
            rivals = (density[:, None, :] > own) | before
            apart.append(distances.masked_fill(~rivals, torch.inf).amin(dim=2))
            both = distances.isfinite() & looked_at[:, rows, None]
            farthest = torch.maximum(farthest, distances.where(both, 0.0).amax(dim=(1, 2)))
        nearest = torch.cat(apart, dim=1)
        return torch.where(nearest == torch.inf, farthest[:, None], nearest)
