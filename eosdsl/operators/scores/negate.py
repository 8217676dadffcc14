"""A score turned round."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Probe, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Negate(Score):
    """The score with its sign turned: the lowest become the highest.

    CDPruner (arXiv 2506.10967) and TRIM (arXiv 2409.10994) rate by `negate(relevance(text))`: with CLIP's embeddings
    patches least like the text are those on the object.
    """

    name: ClassVar[str] = "negate"

    score: Score = Field(description="the score")

    @property
    def reads_text(self) -> bool:
        return self.score.reads_text

    def probes(self) -> frozenset[Probe]:
        return self.score.probes()

    def macs(self, context: CostContext) -> int:
        return self.score.macs(context)

    def compute(self, tokens: Tokens) -> Tensor:
        return -self.score.compute(tokens)
