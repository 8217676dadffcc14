"""A reproducible lottery."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eosdsl.operators.base import CostContext, Score, Tokens

if TYPE_CHECKING:
    from torch import Tensor

_MASK = 0xFFFFFFFF


class Random(Score):
    """Numbers from 0 to 1 that depend on the seed and on the token's place in its image alone.

    The same on any device, in any batch and beside any neighbours, so that a random baseline can be repeated.
    """

    name: ClassVar[str] = "random"

    seed: int = Field(default=0, description="another seed, another lottery")

    def macs(self, context: CostContext) -> int:
        return 0

    def compute(self, tokens: Tokens) -> Tensor:
        return lottery(tokens.index, self.seed)


def lottery(index: Tensor, seed: int) -> Tensor:
    """Float32 in [0, 1) by hashing places [G, N] with a seed of up to 64 bits.

    Integers hash alike on every device; a generator would depend on device, batch and order.
    """
    low, high = seed & _MASK, (seed >> 32) & _MASK
    mixed = _scramble(_scramble(index ^ low) ^ high)
    return (mixed >> 8).float() / float(1 << 24)


def _scramble(x: Tensor) -> Tensor:
    """A 32-bit finaliser (xor-shift, multiply, twice) on int64 values."""
    x = x & _MASK
    x = ((x ^ (x >> 16)) * 0x7FEB352D) & _MASK
    x = ((x ^ (x >> 15)) * 0x846CA68B) & _MASK
    return x ^ (x >> 16)
