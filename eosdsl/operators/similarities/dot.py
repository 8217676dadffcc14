"""Inner product of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Similarity, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Dot(Similarity):
    """The inner product of hidden states, keys or values, over √D as in attention. Longer vectors attract more."""

    name: ClassVar[str] = "dot"
    takes_all: ClassVar[bool] = True
    identical: ClassVar[float] = 0.0

    of: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of)

    def macs(self, context: CostContext) -> int:
        return context.kept * max(context.tokens - context.kept, 0) * context.feature_width(self.of)

    def matrix(self, tokens: Tokens, anchors: Tensor | None, columns: Tensor | None) -> Tensor:
        from eosdsl.operators.tensors import feature_rows

        rows = feature_rows(tokens, self.of, anchors)
        return rows @ feature_rows(tokens, self.of, columns).transpose(1, 2) / rows.shape[-1] ** 0.5
