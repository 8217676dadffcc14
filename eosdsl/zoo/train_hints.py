"""Hints of the first stage: what half of the layers should have found out is asked of their hidden states.

In a procedural world every intermediate fact is known. Two skills hang on one each that is useless before it is there
and therefore emerges late, if ever: which image a cell belongs to, and the how manieth glyph of its line it shows.
The heads that are asked are thrown away after training.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from eosdsl.tasks.scene import CELL_COLORS, DIGITS, GRID, KINDS, LETTERS
from eosdsl.zoo.train_batch import BETWEEN, IGNORE, PREFIX, Batch

_GLYPHS = tuple(KINDS.index(kind) for kind in (*DIGITS, *LETTERS))
_FIRST_PART = 1
_LONGEST = 8
_IMAGES = 2


class Hints(nn.Module):
    """Linear readings of hidden states [B, V' + QL, D] of `layer`."""

    def __init__(self, layer: nn.Module, width: int) -> None:
        super().__init__()
        self.norm = nn.RMSNorm(width, elementwise_affine=False)
        self.image = nn.Linear(width, _IMAGES)
        self.ordinal = nn.Linear(width, _LONGEST)
        self.due = nn.Linear(width, _LONGEST)
        self.seen: Tensor | None = None
        layer.register_forward_hook(self._keep)

    def _keep(self, _layer: nn.Module, _arguments: object, hidden: Tensor) -> None:
        self.seen = hidden

    def forward(self, batch: Batch, *, text: bool) -> Tensor:
        """Cross entropies of the facts that matter for this batch, summed."""
        assert self.seen is not None, "hints follow a forward"
        hidden, self.seen = self.norm(self.seen), None
        cells = _cells(hidden, batch)
        loss = hidden.new_zeros(())
        if batch.images > 1:
            number = torch.arange(batch.images).expand(cells.shape[0], -1)
            logits = self.image(cells).mean(dim=2).flatten(0, 1)
            each = self.image(cells).flatten(0, 2)
            loss = loss + nn.functional.cross_entropy(logits, number.flatten())
            loss = loss + nn.functional.cross_entropy(each, number.flatten().repeat_interleave(cells.shape[2]))
        if text:
            labels, glyph = ordinals(batch)
            loss = loss + nn.functional.cross_entropy(self.ordinal(cells)[glyph], labels[glyph])
            loss = loss + self._due(hidden, batch)
        return loss

    def _due(self, hidden: Tensor, batch: Batch) -> Tensor:
        size, questions, length = batch.text.shape
        rows = hidden[:, -questions * length :].reshape(size, questions, length, -1)
        answers = batch.targets != IGNORE
        step = answers.cumsum(dim=-1) - 1
        return nn.functional.cross_entropy(self.due(rows)[answers], step[answers].clamp(max=_LONGEST - 1))


def ordinals(batch: Batch) -> tuple[Tensor, Tensor]:
    """Of every cell, which glyph of its line it shows, from 0 [B, I, V], and whether it shows one."""
    glyph = torch.isin(batch.kinds, torch.tensor(_GLYPHS)) & (batch.colors < len(CELL_COLORS) - 1)
    column = batch.cells % GRID
    begins = glyph & (batch.parts == _FIRST_PART)
    before = begins[:, :, None, :] & (batch.colors[:, :, None, :] == batch.colors[:, :, :, None])
    before = before & (column[:, :, None, :] <= column[:, :, :, None])
    return (before.sum(dim=-1) - 1).clamp(0, _LONGEST - 1), glyph


def _cells(hidden: Tensor, batch: Batch) -> Tensor:
    """Rows of the cells [B, I, V, D]."""
    count = batch.cells.shape[2]
    parts: list[Tensor] = []
    start = 0
    for image in range(batch.images):
        start += PREFIX if image == 0 else BETWEEN
        parts.append(hidden[:, start : start + count])
        start += count
    return torch.stack(parts, dim=1)
