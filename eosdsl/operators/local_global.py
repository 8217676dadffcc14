"""DynamicViT's predictor (arXiv 2106.02034, section 3.2). Torch-free."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from eosdsl.operators.network import Network

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class LocalGlobal(Network):
    """A row's own features beside the mean of all rows, then three layers that halve them; a row scores the log
    probability of being kept. Tensors are named as in raoyongming/DynamicViT@1322e62 (`PredictorLG`), so that its
    weights fit.
    """

    def parameters(self, width: int) -> int:
        return 2 * width + sum((n + 1) * m for n, m in _linears(width))

    def macs(self, tokens: int, width: int) -> int:
        return tokens * sum(n * m for n, m in _linears(width))

    def build(self, width: int, seed: int) -> nn.Module:
        from eosdsl.operators.local_global_module import LocalGlobalModule

        return LocalGlobalModule(width, seed)


def _linears(width: int) -> tuple[tuple[int, int], ...]:
    """(in, out) of its linear maps."""
    return (width, width), (width, width // 2), (width // 2, width // 4), (width // 4, 2)
