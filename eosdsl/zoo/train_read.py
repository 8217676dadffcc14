"""Stage 1, read: the language model alone learns to answer from oracle tokens."""

from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn
from transformers import LlamaForCausalLM

from eosdsl.tasks.scene import CELL_COLORS, KINDS
from eosdsl.zoo.train_batch import BETWEEN, IGNORE, PREFIX, Batch
from eosdsl.zoo.train_tokens import TOKEN_IDS, Codes

Hits = dict[str, list[int]]
"""Per family: questions answered rightly, questions asked."""


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
    size, questions, length = batch.text.shape
    shared = shared_embeddings(model, batch, cells)
    text = model.model.embed_tokens(batch.text.reshape(size, -1))
    hidden = model.model(
        inputs_embeds=torch.cat([shared, text], dim=1),
        position_ids=batch.positions(),
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


def prepare(model: LlamaForCausalLM, codes: Codes) -> None:
    """Initial weights: layers that begin as identities, an output head of zeros, and the embedding of a word for a
    kind or colour equal to the code of that kind or colour, so that what is asked for resembles what is looked for."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim == 2:
                start_matrix(name, parameter)
        words = model.model.embed_tokens.weight
        words.normal_(0, 0.7)
        for names, table in ((KINDS, codes.kind), (CELL_COLORS, codes.color)):
            for index, word in enumerate(names):
                if word in TOKEN_IDS:
                    words[TOKEN_IDS[word]] = table[index]


def start_matrix(name: str, parameter: nn.Parameter) -> None:
    """Zeros where a layer's result joins the stream, otherwise a variance that keeps the features' scale."""
    if any(part in name for part in ("o_proj", "down_proj", "lm_head")):
        parameter.zero_()
    else:
        parameter.normal_(0, parameter.shape[1] ** -0.5)
