"""Half of every token goes into the anchor most like it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Halve(Absorbing):
    """As merge, but with half of the content: the other half is dropped. α = 1/2, τ → 0."""

    name: ClassVar[str] = "halve"

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        best = affinity.max(dim=1, keepdim=True)
        half = torch.zeros_like(affinity).scatter(1, best.indices, 0.5)
        return half.masked_fill(best.values == -torch.inf, 0.0)
