"""Cosine of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Feature, KeysProbe, Probe, Similarity, Tokens, ValuesProbe

if TYPE_CHECKING:
    from torch import Tensor


class Cosine(Similarity):
    """The cosine of the angle between hidden states, keys or values."""

    name: ClassVar[str] = "cosine"

    of: Feature = Field(default="hidden", description="which features")

    def probes(self) -> frozenset[Probe]:
        needed: dict[Feature, frozenset[Probe]] = {
            "hidden": frozenset(),
            "keys": frozenset({KeysProbe()}),
            "values": frozenset({ValuesProbe()}),
        }
        return needed[self.of]

    def macs(self, context: CostContext) -> int:
        return context.kept * max(context.tokens - context.kept, 0) * context.feature_width(self.of)

    def matrix(self, tokens: Tokens, anchors: Tensor) -> Tensor:
        from eosdsl.operators.tensors import features, take_rows, unit_rows

        units = unit_rows(features(tokens, self.of))
        return take_rows(units, anchors) @ units.transpose(1, 2)
