"""The rest goes sharply into the most similar anchor."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Merge(Absorbing):
    """Every token goes whole into the anchor most like it; of equals, the one that comes first. α = 1, τ → 0.

    With `pick bipartite(on: keys)` and proportional attention this is ToMe (arXiv 2210.09461).
    """

    name: ClassVar[str] = "merge"
    sharp: ClassVar[bool] = True

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        best = affinity.max(dim=1, keepdim=True)
        sharp = torch.zeros_like(affinity).scatter(1, best.indices, 1.0)
        return sharp.masked_fill(best.values == -torch.inf, 0.0)
