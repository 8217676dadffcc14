"""Initial weights from which looking things up emerges in minutes: heads begin as what they will have to become.

After mimetic initialisation (Trockman and Kolter, 2023): the embedding of a word for a kind or a colour is the code of
that kind or colour, values and outputs copy, and queries and keys are set by hand for a few sorts of heads. Everything
is trained from there on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from eosdsl.tasks.scene import CELL_COLORS, KINDS
from eosdsl.zoo.train_tokens import BOS, TOKEN_IDS, Codes

_HEAD = 32
_WORD_SCALE = 0.6
_HEAD_SHARE = 0.1
_MATCH = 0.3
"""Scale of a lookup's queries and keys: the logit of a cell that fits is some five above the others'."""
_AWAY = 20.0
"""A lookup's logit of a word for another word is so much lower: it looks at cells."""
NEAR = 5.0
"""A previous-token head's logit is so much per unit of phase agreement."""
_NUMBER = 4.0
"""Logit of a word for a cell that looks for its image's number; of a number it is twice that."""
_RECENT = 6.0
"""How much of that fades with distance, so that the nearer number wins."""
SLOW = 7
"""Rotary frequencies from this one on hardly turn within a sequence: content is compared there."""


@dataclass(frozen=True, slots=True)
class Directions:
    """Linear readings of normalised embeddings, each [D], about 1 where what they name is there and 0 elsewhere: a
    word, a cell, one of the numbers of images. `seen` [D, D] projects onto what tells kinds and colours from places,
    `shown` [D_h, D] onto a part of that, as wide as a head; `before` [D_h, D] is room that no code uses: the first
    layer puts there what the neighbour before shows. `digits` [2, D] spans the codes of the numbers."""

    word: Tensor
    cell: Tensor
    number: Tensor
    seen: Tensor
    shown: Tensor
    before: Tensor
    digits: Tensor


def prepare(model: LlamaForCausalLM, codes: Codes, seed: int = 0) -> None:
    """Set the weights of a fresh language model."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        flag = _flag(codes)
        _words(model, codes, flag, generator)
        ways = directions(codes, flag, generator)
        layers: Any = model.model.layers
        for index, layer in enumerate(layers):
            for name, parameter in layer.named_parameters():
                if parameter.ndim == 2:
                    parameter.normal_(0, parameter.shape[1] ** -0.5, generator=generator)
                if "down_proj" in name:
                    parameter.zero_()
            _attention(layer.self_attn, index, ways, generator)


def directions(codes: Codes, flag: Tensor, generator: torch.Generator) -> Directions:
    """The readings: rows of the dual basis of the codes, which do not mistake one code for another."""
    everything = torch.cat([codes.kind, codes.color, codes.part, codes.row, codes.col, codes.cell[None], flag[None]])
    dual = torch.linalg.pinv(everything).T
    root = everything.shape[1] ** 0.5
    word_norm = _WORD_SCALE * root * 2**0.5 / root
    cell_norm = _WORD_SCALE * root * 6**0.5 / root
    places = torch.cat([codes.part, codes.row, codes.col, codes.cell[None], flag[None]])
    basis = torch.linalg.qr(places.T).Q
    numbers = [KINDS.index("1"), KINDS.index("2")]
    labels = torch.cat([codes.kind, codes.color])
    mixed = torch.randn(_HEAD, len(labels), generator=generator) @ torch.linalg.qr(labels.T).Q.T
    return Directions(
        word=dual[-1] * word_norm,
        cell=dual[-2] * cell_norm,
        number=dual[numbers].sum(dim=0) * word_norm,
        seen=torch.eye(everything.shape[1]) - basis @ basis.T,
        shown=torch.linalg.qr(mixed.T).Q.T,
        digits=torch.linalg.qr(codes.kind[numbers].T).Q.T,
        before=torch.linalg.svd(everything).Vh[-_HEAD:],
    )


def _flag(codes: Codes) -> Tensor:
    """What is added to every word [D]: no code has a part in it."""
    everything = torch.cat([codes.kind, codes.color, codes.part, codes.row, codes.col, codes.cell[None]])
    flag = torch.linalg.svd(everything).Vh[-1]
    return _WORD_SCALE * len(flag) ** 0.5 * flag


def _words(model: LlamaForCausalLM, codes: Codes, flag: Tensor, generator: torch.Generator) -> None:
    words: Tensor = model.model.embed_tokens.weight
    words.normal_(0, _WORD_SCALE, generator=generator)
    for names, table in ((KINDS, codes.kind), (CELL_COLORS, codes.color)):
        for index, word in enumerate(names):
            if word in TOKEN_IDS:
                words[TOKEN_IDS[word]] = table[index]
    model.lm_head.weight.copy_(_HEAD_SHARE * words)
    words += flag
    words[BOS] -= flag


def _attention(attention: Any, layer: int, ways: Directions, generator: torch.Generator) -> None:
    width, heads = attention.head_dim, attention.config.num_attention_heads
    queries, keys = attention.q_proj.weight, attention.k_proj.weight
    # the heads' values together lose nothing
    attention.v_proj.weight.copy_(torch.linalg.qr(attention.v_proj.weight).Q)
    attention.o_proj.weight.copy_(attention.v_proj.weight.T)
    for head in range(heads):
        rows = slice(head * width, (head + 1) * width)
        if head == 2:
            queries[rows], keys[rows] = _previous(attention, ways)
        elif head == 3:
            queries[rows], keys[rows] = _among_words(queries[rows], keys[rows], ways)
        elif head == 1 and layer > 0:
            queries[rows], keys[rows] = _lookup(ways.shown, ways.before, ways, generator)
        else:
            unit = torch.eye(len(ways.word))
            own = ways.seen @ (unit if layer == 0 else unit + ways.shown.T @ ways.before)
            queries[rows], keys[rows] = _lookup(own, ways.seen, ways, generator)
        if layer == 0 and head == 2:
            attention.v_proj.weight[rows] = ways.shown
            attention.o_proj.weight[:, rows] = ways.before.T
        if layer == 0 and head == 3:
            _find_number(queries[rows], keys[rows], ways)
            attention.v_proj.weight[rows] *= 0.1
            attention.v_proj.weight[rows][:2] = 0.5 * ways.digits
            attention.o_proj.weight[:, rows] *= 0.1
            attention.o_proj.weight[:, rows][:, :2] = ways.digits.T


def _lookup(own: Tensor, theirs: Tensor, ways: Directions, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Attend from words to cells where `theirs` of the cell is like `own` of the word; both [*, D]."""
    width, half = _HEAD, _HEAD // 2
    match = _MATCH * torch.randn(width, len(own), generator=generator)
    for start in (0, half):
        match[start : start + SLOW] = 0
    match[half - 1] = match[-1] = 0
    queries, keys = match @ own, match @ theirs
    queries[half - 1] += _root(_AWAY, width) * ways.word
    keys[half - 1] -= _root(_AWAY, width) * ways.word
    return queries, keys


def _previous(attention: Any, ways: Directions) -> tuple[Tensor, Tensor]:
    """Attend to the word before, or to the cell on the left."""
    width = attention.head_dim
    theta = attention.config.rope_parameters["rope_theta"]
    either = ways.word + ways.cell
    queries, keys = (torch.zeros(width, len(either)) for _ in range(2))
    for pair in range(4):
        phase = torch.tensor(theta ** (-2 * pair / width))
        queries[pair] = _root(NEAR, width) * either
        keys[pair] = _root(NEAR, width) * phase.cos() * either
        keys[pair + width // 2] = _root(NEAR, width) * phase.sin() * either
    return queries, keys


def _among_words(queries: Tensor, keys: Tensor, ways: Directions) -> tuple[Tensor, Tensor]:
    """Attend from words to words rather than to cells; to which of them is left open."""
    width = len(queries)
    queries, keys = 0.3 * queries, 0.3 * keys
    queries[width // 2 - 1] += _root(3.0, width) * ways.word
    keys[width // 2 - 1] += _root(3.0, width) * ways.word
    return queries, keys


def _find_number(queries: Tensor, keys: Tensor, ways: Directions) -> None:
    """Attend from a cell to the number that was said before its image."""
    width = len(queries)
    queries[width // 2 - 2] += _root(_NUMBER, width) * ways.cell
    keys[width // 2 - 2] += _root(_NUMBER, width) * (ways.word + ways.number - ways.cell)
    for pair in (SLOW - 2, SLOW - 1):
        queries[pair] += _root(_RECENT, width) * ways.cell
        keys[pair] += _root(_RECENT, width) * ways.number


def _root(logit: float, width: int) -> float:
    """The factor of queries and of keys that makes such a logit in a head that divides by the root of `width`."""
    return (logit * width**0.5) ** 0.5
