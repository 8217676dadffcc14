"""Packs as tiny-qwen-vl sees them: images between vision tokens, positions in time, row and column."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from transformers import Qwen2VLForConditionalGeneration

from eosdsl.tasks.scene import GRID
from eosdsl.zoo.tiny_qwen_vl import VISION_END, VISION_START
from eosdsl.zoo.train_batch import Batch
from eosdsl.zoo.train_read import answer_logits
from eosdsl.zoo.train_tokens import BOS, TOKEN_IDS, ids


class Language(nn.Module):
    """Decoder and head of a Qwen2-VL, called as packs call a language model."""

    def __init__(self, whole: Qwen2VLForConditionalGeneration) -> None:
        super().__init__()
        self.model: Any = whole.model.language_model
        self.lm_head: Any = whole.lm_head


def _words(image: int) -> list[int]:
    """Token ids in front of an image's cells, the images counted from 0."""
    before = [BOS, *ids("user")] if image == 0 else [VISION_END]
    return [*before, TOKEN_IDS["image"], TOKEN_IDS[str(image + 1)], VISION_START]


def shared_embeddings(language: Language, batch: Batch, cells: Tensor) -> Tensor:
    """Embeddings of the shared block [B, V', D]: the words around the images, and `cells` [B, I, V, D] in between."""
    size = cells.shape[0]
    parts: list[Tensor] = []
    for image in range(batch.images):
        words = language.model.embed_tokens(torch.tensor(_words(image)))
        parts += [words.expand(size, -1, -1), cells[:, image]]
    parts.append(language.model.embed_tokens(torch.tensor([VISION_END])).expand(size, -1, -1))
    return torch.cat(parts, dim=1)


def cell_rows(batch: Batch) -> Tensor:
    """Where the images' cells are in the shared block [I, V]."""
    count = batch.cells.shape[2]
    starts: list[int] = []
    at = 0
    for image in range(batch.images):
        at += len(_words(image))
        starts.append(at)
        at += count
    return torch.tensor(starts)[:, None] + torch.arange(count)


def positions(batch: Batch) -> Tensor:
    """M-RoPE's position ids [3, B, V' + QL]: an image takes as many steps as it has rows, and every question starts
    after the last image."""
    size, questions, length = batch.text.shape
    parts: list[Tensor] = []
    at = 0
    for image in range(batch.images):
        words, cells = len(_words(image)), batch.cells[:, image]
        parts.append((at + torch.arange(words)).expand(3, size, -1))
        at += words
        parts.append(at + torch.stack([torch.zeros_like(cells), cells // GRID, cells % GRID]))
        at += GRID
    parts.append(torch.full((3, size, 1), at))
    parts.append((at + 1 + torch.arange(length)).repeat(questions).expand(3, size, -1))
    return torch.cat(parts, dim=2)


def forward(language: Language, batch: Batch, cells: Tensor) -> Tensor:
    """Logits of the questions' tokens where an answer is due [N, vocabulary], in reading order of `batch.targets`."""
    return answer_logits(language, batch, shared_embeddings(language, batch, cells), positions(batch))
