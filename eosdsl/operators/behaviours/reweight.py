"""The rest is shared out by likeness."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import Absorbing

if TYPE_CHECKING:
    from torch import Tensor


class Reweight(Absorbing):
    """Every token is shared out over the anchors by the softmax of likeness / temperature. α = 1, τ finite.

    As the temperature falls this becomes `merge`, as it rises `pool` on the same support.
    """

    name: ClassVar[str] = "reweight"

    temperature: float = Field(default=1.0, gt=0, allow_inf_nan=False, description="τ: small is sharp, large is even")

    def weights(self, affinity: Tensor) -> Tensor:
        import torch

        # the largest entry is subtracted before dividing, so that a tiny temperature cannot overflow
        best = affinity.amax(dim=1, keepdim=True)
        nowhere = best == -torch.inf
        # not infinitely far apart, so that the temperature has a gradient where it is searched for
        shifted = (affinity - best.masked_fill(nowhere, 0.0)).clamp(min=-1e20) / self.temperature
        return shifted.softmax(dim=1).masked_fill(nowhere, 0.0)
