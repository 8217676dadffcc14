"""The rest is shared out evenly."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Pool(Absorbing):
    """Every token is shared out evenly over the anchors that may take it. α = 1, τ → ∞.

    Over everything this draws all anchors to one mean; with a support it is pooling as people know it:
    `pick grid(2x2) via pool(within: window(2x2))`.
    """

    name: ClassVar[str] = "pool"

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        may = (affinity > -torch.inf).to(affinity.dtype)
        return may / may.sum(dim=1, keepdim=True).clamp(min=1)
