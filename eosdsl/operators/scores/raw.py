"""A term of a sum that is not standardised."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Probe, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Raw(Score):
    """The score as it is: in a sum, where every other term is standardised per image, this one keeps its scale."""

    name: ClassVar[str] = "raw"
    standardised: ClassVar[bool] = False

    score: Score = Field(description="the score")

    @property
    def reads_text(self) -> bool:
        return self.score.reads_text

    def probes(self) -> frozenset[Probe]:
        return self.score.probes()

    def macs(self, context: CostContext) -> int:
        return self.score.macs(context)

    def compute(self, tokens: Tokens) -> Tensor:
        return self.score.compute(tokens)
