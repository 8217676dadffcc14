"""Half of a token goes into the most similar anchor, half is dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Halve(Absorbing):
    """As `mix(0.5 merge, 0.5 prune)`, with a name of its own."""

    name: ClassVar[str] = "halve"

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        best = affinity.max(dim=1, keepdim=True)
        sharp = torch.zeros_like(affinity).scatter(1, best.indices, 0.5)
        return sharp.masked_fill(best.values == -torch.inf, 0.0)
