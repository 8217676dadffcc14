"""Nearness of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Similarity, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Euclidean(Similarity):
    """The negative Euclidean distance of hidden states, keys or values, over √D whatever the width is.

    Density peaks (SparseVLM, arXiv 2410.04417) are assigned by it.
    """

    name: ClassVar[str] = "euclidean"
    takes_all: ClassVar[bool] = True
    identical: ClassVar[float] = 0.0

    of: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of)

    def macs(self, context: CostContext) -> int:
        return context.kept * max(context.tokens - context.kept, 0) * context.feature_width(self.of)

    def matrix(self, tokens: Tokens, anchors: Tensor | None, columns: Tensor | None) -> Tensor:
        from eosdsl.operators.neighbours import euclidean
        from eosdsl.operators.tensors import feature_rows

        return -euclidean(feature_rows(tokens, self.of, anchors), feature_rows(tokens, self.of, columns))
