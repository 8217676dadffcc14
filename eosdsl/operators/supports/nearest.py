"""The nearest tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Support, Tokens

if TYPE_CHECKING:
    from torch import Tensor


class Nearest(Support):
    """An anchor may take in those of its image that are among the `count` tokens most like it, itself not counted.

    Retained tokens count among them, though only `borrow` takes from those. Of equals the lower position is nearer.
    """

    name: ClassVar[str] = "nearest"
    reads_all: ClassVar[bool] = True

    count: int = Field(ge=1, description="how many tokens")

    def macs(self, context: CostContext) -> int:
        return 0

    def mask(self, tokens: Tokens, anchors: Tensor, columns: Tensor | None, distance: Tensor) -> Tensor:
        import torch

        from eosdsl.operators.tensors import present

        others = distance.masked_fill(~present(tokens)[:, None, :], torch.inf)
        others = others.scatter(2, anchors.clamp(min=0)[:, :, None], torch.inf)
        order = others.sort(dim=2, stable=True).indices[:, :, : self.count]
        near = torch.zeros_like(others, dtype=torch.bool).scatter(2, order, True)
        return near & (others < torch.inf)
