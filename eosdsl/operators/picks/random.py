"""Tokens drawn by lot."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Pick, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class RandomPick(Pick):
    """Tokens drawn by lot: the top of the score `random(seed)`. Reads no other score."""

    name: ClassVar[str] = "random"

    seed: int = Field(default=0, description="another seed, another lottery")

    @property
    def uses_score(self) -> bool:
        return False

    def macs(self, context: CostContext) -> int:
        return 0

    def select(self, tokens: Tokens, scores: Tensor, free: Tensor, counts: Tensor, most: int) -> Tensor:
        from eosdsl.operators.scores.random import lottery
        from eosdsl.operators.tensors import best_first, first_rows

        return first_rows(best_first(lottery(tokens.index, self.seed), free), counts, most)
