"""Packs as tensors."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import torch
from torch import Tensor

from eosdsl.tasks.scene import CELL_COLORS, GRAY, GRID, labels
from eosdsl.zoo.train_packs import Pack
from eosdsl.zoo.train_tokens import BOS, EOS, PAD, TOKEN_IDS, ids, pad

CELLS = GRID * GRID
PREFIX = 4
"""<s> user image 1: the tokens before the first image's cells."""
BETWEEN = 2
"""image 2: the tokens before the second image's cells."""
IGNORE = -100
_CLUTTER = CELL_COLORS.index(GRAY)


@dataclass(frozen=True, slots=True)
class Batch:
    """B packs of I images with V cells each and Q questions of L tokens.

    kinds, colors, parts, cells [B, I, V]; text, targets, positions [B, Q, L]: `targets` holds the next token where it
    belongs to the answer, else IGNORE; families [B][Q].
    """

    kinds: Tensor
    colors: Tensor
    parts: Tensor
    cells: Tensor
    text: Tensor
    targets: Tensor
    families: list[list[str]]

    @property
    def images(self) -> int:
        return self.kinds.shape[1]

    def shared_ids(self) -> Tensor:
        """Token ids of the words between the images, PAD where cells stand [V']."""
        row = [BOS, *ids("user image 1"), *[PAD] * self.cells.shape[2]]
        for number in range(2, self.images + 1):
            row += [TOKEN_IDS["image"], TOKEN_IDS[str(number)], *[PAD] * self.cells.shape[2]]
        return torch.tensor(row)

    def positions(self) -> Tensor:
        """Position ids [B, V' + QL]: dropped cells leave gaps, every question starts after the last image."""
        batch, questions, length = self.text.shape
        parts: list[Tensor] = []
        start = 0
        for image in range(self.images):
            words = PREFIX if image == 0 else BETWEEN
            parts.append(torch.arange(start, start + words).expand(batch, -1))
            parts.append(start + words + self.cells[:, image])
            start += words + CELLS
        parts.append((start + torch.arange(length)).repeat(questions).expand(batch, -1))
        return torch.cat(parts, dim=1)


def make_batch(packs: list[Pack], cells: int, rng: Random) -> Batch:
    """Tensors of packs with equally many images and questions. With fewer than all cells, empty ones are left out
    first, then clutter: they teach nothing that the rest of them does not."""
    rows = [[_image(pack, index, cells, rng) for index in range(len(pack.scenes))] for pack in packs]
    columns = torch.tensor(rows)  # [B, I, 4, V]
    texts = [[_text(question.text, question.answer) for question in pack.questions] for pack in packs]
    longest = max(len(text) for pack in texts for text, _ in pack) - 1
    text = torch.tensor([pad([text[:-1] for text, _ in pack], longest, PAD) for pack in texts])
    targets = torch.tensor(
        [pad([[IGNORE] * (start - 1) + text[start:] for text, start in pack], longest, IGNORE) for pack in texts]
    )
    kinds, colors, parts, cell = columns.unbind(dim=2)
    families = [[question.family for question in pack.questions] for pack in packs]
    return Batch(kinds, colors, parts, cell, text, targets, families)


def _image(pack: Pack, index: int, cells: int, rng: Random) -> list[list[int]]:
    kinds, colors, parts = labels(pack.scenes[index])
    order = list(range(CELLS))
    if cells < CELLS:
        order = sorted(order, key=lambda cell: (kinds[cell] == 0, colors[cell] == _CLUTTER, rng.random()))[:cells]
        order.sort()
    return [[column[cell] for cell in order] for column in (kinds, colors, parts)] + [order]


def _text(question: str, answer: str) -> tuple[list[int], int]:
    """Question and answer as ids, and where the answer starts."""
    before = [*ids(question), TOKEN_IDS["assistant"]]
    return [*before, *ids(answer), EOS], len(before)
