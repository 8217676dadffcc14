"""Asking a language model: its answers on packs with given visual tokens, and what is learned from them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from eosdsl.zoo.train_batch import BETWEEN, IGNORE, PREFIX, Batch
from eosdsl.zoo.train_tokens import BOS, TOKEN_IDS, Codes

Hits = dict[str, list[int]]
"""Per family: questions answered rightly, questions asked."""


class Reader(Protocol):
    """A language model: decoder and head."""

    model: Any
    lm_head: Any


def shared_embeddings(model: LlamaForCausalLM, batch: Batch, cells: Tensor) -> Tensor:
    """Embeddings of the shared block [B, V', D]: the words around the images, and `cells` [B, I, V, D] in between."""
    words = model.model.embed_tokens(batch.shared_ids()).expand(cells.shape[0], -1, -1)
    parts: list[Tensor] = []
    start = 0
    for image in range(batch.images):
        count = PREFIX if image == 0 else BETWEEN
        parts += [words[:, start : start + count], cells[:, image]]
        start += count + cells.shape[2]
    return torch.cat(parts, dim=1)


def forward(model: LlamaForCausalLM, batch: Batch, cells: Tensor) -> Tensor:
    """Logits of the questions' tokens where an answer is due [N, vocabulary], in reading order of `batch.targets`."""
    return answer_logits(model, batch, shared_embeddings(model, batch, cells), batch.positions())


def forward_blind(model: Reader, batch: Batch) -> Tensor:
    """The same without any image: what can be guessed from the questions alone. A model that has never been asked so
    would babble, and its images would seem to contribute more than they do."""
    size, questions, length = batch.text.shape
    start = torch.tensor([BOS, TOKEN_IDS["user"]])
    shared = model.model.embed_tokens(start).expand(size, -1, -1)
    places = torch.cat([torch.arange(2), (2 + torch.arange(length)).repeat(questions)])
    return answer_logits(model, batch, shared, places.expand(size, -1))


def answer_logits(model: Reader, batch: Batch, shared: Tensor, positions: Tensor) -> Tensor:
    """Logits where an answer is due, behind a shared block of embeddings [B, V', D]; positions [..., B, V' + QL]."""
    size, questions, length = batch.text.shape
    text = model.model.embed_tokens(batch.text.reshape(size, -1))
    hidden = model.model(
        inputs_embeds=torch.cat([shared, text], dim=1),
        position_ids=positions,
        use_cache=False,
        packed=(shared.shape[1], questions, length),
    ).last_hidden_state
    answers = hidden[:, shared.shape[1] :].reshape(size, questions, length, -1)[batch.targets != IGNORE]
    return model.lm_head(answers)


def loss_and_hits(logits: Tensor, batch: Batch) -> tuple[Tensor, Hits]:
    """Cross entropy summed over the means of each family, and per family how many answers are right in every token.

    Every family counts the same, however few questions of it there are: otherwise those that are asked often but not
    learned yet drown the others in noise.
    """
    due = batch.targets != IGNORE
    entropy = nn.functional.cross_entropy(logits, batch.targets[due], reduction="none")
    wrong = torch.zeros_like(due)
    wrong[due] = logits.detach().argmax(dim=-1) != batch.targets[due]
    right = (~wrong.any(dim=-1)).tolist()
    hits: Hits = defaultdict(lambda: [0, 0])
    for row, families in zip(right, batch.families, strict=True):
        for good, family in zip(row, families, strict=True):
            hits[family][0] += good
            hits[family][1] += 1
    share = torch.tensor([[1 / hits[family][1] for family in row] for row in batch.families])
    weights = (share[:, :, None] / due.sum(dim=-1, keepdim=True)).expand_as(due)[due]
    return (weights * entropy).sum(), hits


def oracle_cells(codes: Codes, batch: Batch, noise: float) -> Tensor:
    """Oracle tokens [B, I, V, D] with noise."""
    cells = codes(batch.kinds, batch.colors, batch.parts, batch.cells)
    return cells + noise * torch.randn_like(cells)


def learn(logits: Tensor, batch: Batch, hits: Hits, more: Tensor | float = 0.0) -> float:
    """One backward; the loss of the answers, which `hits` counts. `more` is learned from, too."""
    loss, found = loss_and_hits(logits, batch)
    (loss + more).backward()
    for family, (right, asked) in found.items():
        hits[family][0] += right
        hits[family][1] += asked
    return loss.item()


def no_hits() -> Hits:
    """Nothing asked yet."""
    return defaultdict(lambda: [0, 0])
