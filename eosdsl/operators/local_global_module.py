"""The tensors of DynamicViT's predictor, and its scores."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_NOBODY = 1e-6
_DEVIATION = 0.02
"""Of the numbers that weights start from (a normal distribution cut at ±2, as in the original)."""


class LocalGlobalModule(nn.Module):
    """hidden [G, N, D], presence [G, N] → log probability of being kept [G, N], float32."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        self.own = width // 2
        self.in_conv = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.out_conv = nn.Sequential(
            nn.Linear(width, width // 2),
            nn.GELU(),
            nn.Linear(width // 2, width // 4),
            nn.GELU(),
            nn.Linear(width // 4, 2),
            nn.LogSoftmax(dim=-1),
        )
        self.to(device="cpu", dtype=torch.float32)
        generator = torch.Generator().manual_seed(seed)
        for part in self.modules():
            if isinstance(part, nn.Linear):
                nn.init.trunc_normal_(part.weight, std=_DEVIATION, generator=generator)
                nn.init.zeros_(part.bias)

    def forward(self, hidden: Tensor, presence: Tensor) -> Tensor:
        weight = self.in_conv[1].weight
        assert isinstance(weight, Tensor)
        features = self.in_conv(hidden.to(weight.dtype))
        there = presence.to(weight.dtype)[:, :, None]
        others = features[:, :, self.own :]
        mean = (others * there).sum(dim=1, keepdim=True) / there.sum(dim=1, keepdim=True).clamp(min=_NOBODY)
        both = torch.cat([features[:, :, : self.own], mean.expand_as(others)], dim=-1)
        return self.out_conv(both)[:, :, 0].float()
