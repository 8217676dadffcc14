"""What a learned score is computed by: a small network of its own at every site that asks it. Torch-free."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


class Network(ABC):
    """A kind of network, of any width. Instances are frozen and hashable: a probe holds one."""

    @abstractmethod
    def parameters(self, width: int) -> int:
        """How many numbers it learns over rows of `width` features."""

    @abstractmethod
    def macs(self, tokens: int, width: int) -> int:
        """Multiply-accumulates over the `tokens` rows of one image."""

    @abstractmethod
    def build(self, width: int, seed: int) -> nn.Module:
        """The network with the numbers that `seed` draws, float32 on the CPU, in any process the same.

        Called with hidden [G, N, D] and presence [G, N] from 0 to 1 (which rows there are, and how much), it gives
        scores [G, N] float32, differentiable in both and in its numbers. Rows that are not there may get anything
        finite, and must not change the scores of others.
        """
