"""Cosine of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, Probe, Similarity, Tokens, feature_probes

if TYPE_CHECKING:
    from torch import Tensor


class Cosine(Similarity):
    """The cosine of the angle between hidden states, keys or values."""

    name: ClassVar[str] = "cosine"
    takes_all: ClassVar[bool] = True

    of: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        return feature_probes(self.of)

    def macs(self, context: CostContext) -> int:
        return context.kept * max(context.tokens - context.kept, 0) * context.feature_width(self.of)

    def matrix(self, tokens: Tokens, anchors: Tensor | None, columns: Tensor | None) -> Tensor:
        from eosdsl.operators.tensors import feature_rows, unit_rows

        rows = unit_rows(feature_rows(tokens, self.of, anchors))
        if anchors is None and columns is None:
            return rows @ rows.transpose(1, 2)
        others = feature_rows(tokens, self.of, columns)
        if rows.shape[1] >= rows.shape[2]:
            return rows @ unit_rows(others).transpose(1, 2)
        # few anchors: their K x C products are scaled in less time than C rows
        lengths = others.norm(dim=2).clamp(min=1e-12)
        return rows @ others.transpose(1, 2) / lengths[:, None, :]
