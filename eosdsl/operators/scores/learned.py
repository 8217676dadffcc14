"""Scores by a learned module."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, LearnedProbe, Probe, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Learned(Score):
    """What a trained predictor of this name says of each token (DynamicViT, arXiv 2106.02034).

    The predictor is not part of the language: whoever runs the spec brings its scores.
    """

    name: ClassVar[str] = "learned"

    module: str = Field(default="predictor", description="the name of the module")

    def probes(self) -> frozenset[Probe]:
        return frozenset({LearnedProbe(self.module)})

    def macs(self, context: CostContext) -> int:
        """As DynamicViT's: a layer of full width, then two that halve it."""
        return context.tokens * (context.width * context.width + context.width * context.width // 2)

    def compute(self, tokens: Tokens) -> Tensor:
        return tokens.learned[self.module].float()
