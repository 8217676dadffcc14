"""Stage 1, read: the language model alone learns to answer from oracle tokens."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from eosdsl.zoo.train_batch import BETWEEN, IGNORE, PREFIX, Batch
from eosdsl.zoo.train_tokens import Codes

Hits = dict[str, list[int]]
"""Per family: questions answered rightly, questions asked."""


def shared_embeddings(model: LlamaForCausalLM, batch: Batch, cells: Tensor) -> Tensor:
    """Embeddings of the shared block [B, V', D]: the words around the images, and `cells` [B, I, V, D] in between."""
    words = model.get_input_embeddings()(batch.shared_ids()).expand(cells.shape[0], -1, -1)
    parts: list[Tensor] = []
    start = 0
    for image in range(batch.images):
        count = PREFIX if image == 0 else BETWEEN
        parts += [words[:, start : start + count], cells[:, image]]
        start += count + cells.shape[2]
    return torch.cat(parts, dim=1)


def forward(model: LlamaForCausalLM, batch: Batch, cells: Tensor) -> Tensor:
    """Logits of the questions' tokens where an answer is due [N, vocabulary], in reading order of `batch.targets`."""
    size, questions, length = batch.text.shape
    shared = shared_embeddings(model, batch, cells)
    text = model.get_input_embeddings()(batch.text.reshape(size, -1))
    hidden = model.model(
        inputs_embeds=torch.cat([shared, text], dim=1),
        position_ids=batch.positions(),
        use_cache=False,
        packed=(shared.shape[1], questions, length),
    ).last_hidden_state
    answers = hidden[:, shared.shape[1] :].reshape(size, questions, length, -1)[batch.targets != IGNORE]
    return model.lm_head(answers)


def loss_and_hits(logits: Tensor, batch: Batch) -> tuple[Tensor, Hits]:
    """Cross entropy per answer token, and per family how many answers are right in every token."""
    due = batch.targets != IGNORE
    loss = nn.functional.cross_entropy(logits, batch.targets[due], reduction="sum")
    wrong = torch.zeros_like(due)
    wrong[due] = logits.detach().argmax(dim=-1) != batch.targets[due]
    right = (~wrong.any(dim=-1)).tolist()
    hits: Hits = defaultdict(lambda: [0, 0])
    for row, families in zip(right, batch.families, strict=True):
        for good, family in zip(row, families, strict=True):
            hits[family][0] += good
            hits[family][1] += 1
    return loss, hits


def oracle_cells(codes: Codes, batch: Batch, noise: float) -> Tensor:
    """Oracle tokens [B, I, V, D] with noise."""
    cells = codes(batch.kinds, batch.colors, batch.parts, batch.cells)
    return cells + noise * torch.randn_like(cells)
