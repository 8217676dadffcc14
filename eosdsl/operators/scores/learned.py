"""Scores by a learned module."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, LearnedProbe, Probe, Score, Tokens
from eosdsl.operators.local_global import LocalGlobal

if TYPE_CHECKING:
    from torch import Tensor

_NETWORK = LocalGlobal()


class Learned(Score):
    """What a predictor that is trained for it says of each token (DynamicViT, arXiv 2106.02034).

    Every site that asks has a predictor of its own, with numbers of its own under the site's name and this one. They
    come with a compiled operator, are trained while the model is frozen, and are drawn at random where nobody gives any
    (W0459). With `eosdsl.apply_step`, whoever runs the step brings the scores.
    """

    name: ClassVar[str] = "learned"

    module: str = Field(default="predictor", description="the name of the module")

    def probes(self) -> frozenset[Probe]:
        return frozenset({LearnedProbe(self.module, _NETWORK)})

    def macs(self, context: CostContext) -> int:
        """A layer of full width, and three that halve what the one before gives."""
        return _NETWORK.macs(context.tokens, context.width)

    def compute(self, tokens: Tokens) -> Tensor:
        return tokens.learned[self.module].float()
