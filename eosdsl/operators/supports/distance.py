"""Tokens no farther than a distance."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class WithinDistance(Support):
    """An anchor may take in tokens no farther than `most`: 1 - cosine, or the Euclidean distance over √D.

    The distance is that of the behaviour's similarity. What is near no anchor is dropped (PACT, arXiv 2504.08966).
    """

    name: ClassVar[str] = "distance"

    most: float = Field(ge=0, description="how far")

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        return distance <= self.most
