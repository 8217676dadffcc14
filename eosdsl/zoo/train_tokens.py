"""Token ids of words and the oracle's codes of cells."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from eosdsl.tasks.scene import CELL_COLORS, GRID, KINDS, PARTS
from eosdsl.tasks.words import VOCABULARY

SPECIALS = ("<pad>", "<s>", "</s>", "<unk>", "<image>")
PAD, BOS, EOS, UNK, IMAGE = range(5)
TOKEN_IDS = {word: index for index, word in enumerate((*SPECIALS, *VOCABULARY))}


def ids(text: str) -> list[int]:
    """Token ids of a text whose words are separated by spaces."""
    return [TOKEN_IDS[word] for word in text.split()]


class Codes(nn.Module):
    """Fixed random codes: a cell's oracle token is kind + colour + part + row + column + cell, each of rms `scale`.
    The last is the same for all: it tells cells from words.

    Fixed, so that the tower can learn to produce them while the language model learns to read them.
    """

    kind: Tensor
    color: Tensor
    part: Tensor
    row: Tensor
    col: Tensor
    cell: Tensor

    def __init__(self, width: int, seed: int = 0, scale: float = 0.6) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        sizes = {"kind": len(KINDS), "color": len(CELL_COLORS), "part": len(PARTS), "row": GRID, "col": GRID}
        for name, size in sizes.items():
            self.register_buffer(name, scale * torch.randn(size, width, generator=generator))
        self.register_buffer("cell", scale * torch.randn(width, generator=generator))

    def forward(self, kinds: Tensor, colors: Tensor, parts: Tensor, cells: Tensor) -> Tensor:
        """Oracle tokens [..., width] of cells with these labels; `cells` numbers them in reading order."""
        return self.content(kinds, colors, parts) + self.row[cells // GRID] + self.col[cells % GRID]

    def content(self, kinds: Tensor, colors: Tensor, parts: Tensor) -> Tensor:
        """The same without row and column: what can be said of a cell that does not know where it is."""
        return self.kind[kinds] + self.color[colors] + self.part[parts] + self.cell


def pad(rows: Sequence[Sequence[int]], length: int, value: int) -> list[list[int]]:
    """Rows filled up to one length on the right."""
    return [[*row, *[value] * (length - len(row))] for row in rows]
