"""The reducer of a tower whose patches are joined: tokens of U patches each go, stay and take others in together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosdsl.lowering.cell_layers import CellLayer
from eosdsl.lowering.cell_probes import CellView, read
from eosdsl.lowering.cells import CellStream, as_tokens, sizes_of_rows, with_tokens
from eosdsl.lowering.devices import on
from eosdsl.lowering.halves import Kept
from eosdsl.lowering.learned import SiteNetworks
from eosdsl.lowering.masks import bias_mask
from eosdsl.lowering.steps import Plan, does_nothing, reduce

Past = Mapping[int, tuple[Any, ...]]
"""By layer: the rows that entered it, the stream there, and the keys that it kept, if it did."""


class CellReducer(nn.Module):
    """Reduces images inside such a tower, or at its output. It keeps no state."""

    def __init__(
        self, plan: Plan, config: Any, layers: Mapping[int, CellLayer], networks: SiteNetworks, leading: int
    ) -> None:
        super().__init__()
        self.plan = plan
        self.config = config
        self.networks = networks
        self.leading = leading
        self.packed = any(layer.packed for layer in layers.values())
        self.looked_at = nn.ModuleDict({str(layer): layers[layer] for layer in plan.inputs_read})

    def extra_repr(self) -> str:
        return f"retains={self.plan.site.retained} of {self.plan.site.incoming}"

    def forward(self, stream: CellStream, hidden: Tensor, past: Past) -> CellStream:
        """hidden [T, L, D] at the site → the stream behind it."""
        arriving = stream.beside(hidden)
        if does_nothing(self.plan, arriving.images):
            return self._opened(arriving)
        views = {layer: self._view(layer, arriving, past) for layer in self.plan.inputs_read}
        readings = read(self.plan.probes, views, self.plan.boundary, arriving.images, self.leading)
        left = reduce(self.plan, as_tokens(arriving), readings, self.networks)
        rewritten = self.plan.absorbs or not all(group.pick.anchored for group in self.plan.groups)
        return self._opened(with_tokens(arriving, left, rewritten=rewritten))

    def _view(self, layer: int, stream: CellStream, past: Past) -> CellView:
        cell: Any = self.looked_at[str(layer)]
        if layer not in past:
            return CellView(cell, stream)
        hidden, then, *kept = past[layer]
        own: Kept | None = kept[0] if kept else None
        return on(CellView(cell, replace(then, hidden=hidden), own), stream.hidden.device)

    def _opened(self, stream: CellStream) -> CellStream:
        """The stream as the layers behind are called with it."""
        strength = self.plan.strength or stream.strength
        bias = sizes_of_rows(stream).log() * strength if strength else None
        mask = None if self.packed else bias_mask(self.config, stream.hidden, stream.valid, bias)
        called = replace(stream.attention_mask, borders=borders(stream.parts), rope=stream.rope, mask=mask, bias=bias)
        return replace(stream, attention_mask=called, strength=strength)


def borders(parts: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Cumulative lengths of what attends to each other, int32, of parts [1, L] whose numbers ascend."""
    counts = {
        kind: torch.unique_consecutive(own[0], return_counts=True)[1] for kind, own in parts.items() if len(own) == 1
    }
    return {kind: F.pad(own.cumsum(0), (1, 0)).to(torch.int32) for kind, own in counts.items()}
