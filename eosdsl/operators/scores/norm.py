"""Length of a token's feature vector."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Score, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Norm(Score):
    """The p-norm of a token's hidden state (the residual stream, before its norm), keys or values.

    Costs nothing to speak of and needs no attention; DART (arXiv 2502.11494) takes its pivots by `norm(keys, p: 1)`.
    """

    name: ClassVar[str] = "norm"

    of: Feature = Field(default="hidden", description="which features")
    p: float = Field(default=2.0, gt=0, description="the exponent: 1 adds absolute values, 2 is the Euclidean length")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of)

    def macs(self, context: CostContext) -> int:
        return context.tokens * context.feature_width(self.of)

    def compute(self, tokens: Tokens) -> Tensor:
        from eosdsl.operators.tensors import features

        return features(tokens, self.of).norm(p=self.p, dim=-1).float()
