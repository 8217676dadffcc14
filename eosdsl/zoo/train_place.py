"""The decoder layer that finds out where on the grid a visual token stands, and its initial weights.

A tower with relative positions alone cannot say where a patch is: on an empty image all are alike. M-RoPE knows, but
only by how attention turns with distance. So the first layer's four heads look from a cell at the vision token in front
of its image: how much, against the beginning of the text, tells row and column by a sine and a cosine each. The layer's
MLP writes down what it means in the codes that the layers behind it read: a curve through twelve points, which needs no
training but least squares.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.tasks.scene import CELL_COLORS, GRID, KINDS, PARTS
from eosdsl.zoo.tiny_qwen_vl import VISION_END, VISION_START
from eosdsl.zoo.train_batch import IGNORE, Batch
from eosdsl.zoo.train_mrope import Language, cell_rows, positions, shared_embeddings
from eosdsl.zoo.train_oracle import ORACLE_NOISE
from eosdsl.zoo.train_prepare import NEAR, SLOW, directions
from eosdsl.zoo.train_tokens import BOS, TOKEN_IDS, Codes

_AWAY = 24.0
"""A logit of zero for what is looked at, and so much less for everything else."""
_LOOKS = ((1, 0.25, 2.0), (1, 0.0, 2.0), (2, 0.25, 3.0), (2, 0.0, 3.0))
"""Per head the rotary pair that it looks with (1 turns with rows, 2 with columns), its phase as a part of a turn, and
the largest logit of the vision token."""
_TIME, _SLOWEST = 3, 15
"""Rotary pairs that turn with time: one that tells an image's own vision token from an earlier one, one that stands."""
_SHOWN = 14.0
"""Length of what a head adds at most."""
_START_NORM = 6.0
_BEND = 6.0
"""How sharply the MLP's units bend."""
_RIDGE = 1e-5
_SAMPLES = 24
_FULL = 0.3
"""Share of cells of the random images that are not empty."""
_LEFT_HEAD, _NEAR_PAIRS = 2, 4
"""The head that `train_prepare` lets look one step back, and the rotary pairs with which it does."""
_UNLEARNED = 1.4
"""It has grown since: so much of how it began is taken from it where it stands on cells."""
_WAVES, _LEFT = 4, 2.0
"""Waves in which rows and columns are compared, and the logit that each of them gives the cell on the left."""
_SHARPNESS = 12.0
"""Logits of a perfect place against its own code."""


def prepare_place(language: Language, codes: Codes, seed: int) -> None:
    """Set the first layer of a decoder with heads of 32, and the embeddings of the vision tokens.

    The other embeddings and the place codes are those that the layers behind it were trained with.
    """
    generator = torch.Generator().manual_seed(seed)
    everything = torch.cat([codes.kind, codes.color, codes.part, codes.row, codes.col, codes.cell[None]])
    spare = torch.linalg.svd(everything).Vh[len(everything) :]
    flag = codes.cell.norm() * spare[-1]
    ways = directions(codes, flag, generator)
    # for a sum of four codes instead of six: a cell does not know its row and column yet
    cell = ways.cell * (4 / 6) ** 0.5
    start, shown = spare[0] / len(flag) ** 0.5, spare[1:5]
    layer = language.model.layers[0]
    with torch.no_grad():
        words: Tensor = language.model.embed_tokens.weight
        words[VISION_START] = _START_NORM * spare[0]
        words[VISION_END] = words[TOKEN_IDS[","]]
        for name, parameter in layer.named_parameters():
            parameter.fill_(1.0 if "norm" in name else 0.0)
        _heads(layer.self_attn, cell, ways.word, start, shown, layer.input_layernorm(words[BOS]))
        _units(layer.mlp, cell, shown, generator)
        _settle(language, codes, generator)


def _heads(attention: Any, cell: Tensor, word: Tensor, start: Tensor, shown: Tensor, bos: Tensor) -> None:
    width, half = attention.head_dim, attention.head_dim // 2
    turns = attention.config.rope_parameters["rope_theta"] ** (-torch.arange(half) / half)
    queries, keys = torch.zeros(2, 4 * width, len(cell))
    for head, (pair, phase, swing) in enumerate(_LOOKS):
        rows = slice(head * width, (head + 1) * width)
        other = word + cell
        queries[rows][_SLOWEST] = _root(_AWAY, width) * cell
        # the vision token's logit is that of the beginning, until rotation tells them apart
        keys[rows][_SLOWEST] = -_root(_AWAY, width) * (other + (1 + other @ bos) * start)
        middle = (GRID + 1) / 2 * turns[pair] - 2 * torch.pi * phase
        for index, logit, angle in ((_TIME, _AWAY, turns[_TIME]), (pair, swing, middle)):
            queries[rows][index] += _root(logit, width) * cell
            keys[rows][index] += _root(logit, width) * angle.cos() * start
            keys[rows][index + half] += _root(logit, width) * angle.sin() * start
        attention.v_proj.weight[head * width] = start
        attention.o_proj.weight[:, head * width] = _SHOWN * shown[head]
    attention.q_proj.weight.copy_(queries)
    attention.k_proj.weight.copy_(keys)


def look_left(attention: Any, codes: Codes) -> None:
    """Let the head of tiny-llava's first layer that looks at the word before, or at the cell on the left, find that
    cell by the codes of row and column: under M-RoPE it is no longer one step away in every rotary pair."""
    width, half = attention.head_dim, attention.head_dim // 2
    everything = torch.cat([codes.kind, codes.color, codes.part, codes.row, codes.col, codes.cell[None]])
    flag = codes.cell.norm() * torch.linalg.svd(everything).Vh[-1]
    dual = torch.linalg.pinv(torch.cat([everything, flag[None]])).T * 0.6 * 6**0.5
    row, col = dual[-2 - 2 * GRID : -2].split(GRID)
    rows = slice(_LEFT_HEAD * width, (_LEFT_HEAD + 1) * width)
    queries, keys = attention.q_proj.weight[rows], attention.k_proj.weight[rows]
    steps = torch.arange(float(GRID))
    with torch.no_grad():
        queries[:_NEAR_PAIRS] -= _UNLEARNED * _root(NEAR, width) * dual[-2]
        for wave in range(_WAVES):
            angle = 2 * torch.pi * (wave + 1) / (GRID + 1)
            for first, place, left in ((SLOW, col, 1), (SLOW + _WAVES, row, 0)):
                for index, turn in ((first + wave, torch.cos), (first + wave + half, torch.sin)):
                    queries[index] += _root(_LEFT, width) * turn(angle * (steps - left)) @ place
                    keys[index] += _root(_LEFT, width) * turn(angle * steps) @ place


def _root(logit: float, width: int) -> float:
    return (logit * width**0.5) ** 0.5


def _units(mlp: Any, cell: Tensor, shown: Tensor, generator: torch.Generator) -> None:
    """Units that bend somewhere along a random direction of what two heads show: half for rows, half for columns."""
    count = len(mlp.gate_proj.weight)
    turn = 2 * torch.pi * torch.rand(count, generator=generator)
    bend = _SHOWN * torch.rand(count, generator=generator)
    first = torch.arange(count) % 2 * 2
    along = turn.cos()[:, None] * shown[first] + turn.sin()[:, None] * shown[first + 1]
    # where the bend is, as an angle and a distance from the middle of what can be shown
    middle = _SHOWN / 2 * (turn.cos() + turn.sin())
    # normalised alike on both sides, so that the bend does not move with what else a cell holds
    one = cell / (0.6 * 4**0.5)
    mlp.gate_proj.weight.copy_(_BEND * (along - (middle + bend - _SHOWN / 2)[:, None] * one))
    mlp.up_proj.weight.copy_(one.expand(count, -1))


def _settle(language: Language, codes: Codes, generator: torch.Generator) -> None:
    """The MLP's outputs by least squares: cells get their place, and what the heads showed goes away again."""
    layer = language.model.layers[0]
    size = layer.mlp.down_proj.weight.shape[1]
    gram, wanted = torch.zeros(size, size), torch.zeros(size, codes.cell.numel())
    for sample in range(_SAMPLES):
        batch = crowd(1 + sample % 2, 4, generator)
        cells = codes.content(batch.kinds, batch.colors, batch.parts)
        cells = cells + ORACLE_NOISE * torch.randn(cells.shape, generator=generator)
        before, hidden = first_layer(language, batch, cells)
        seen = layer.post_attention_layernorm(hidden)
        units = (nn.functional.silu(layer.mlp.gate_proj(seen)) * layer.mlp.up_proj(seen)).flatten(0, 1)
        gram += units.T @ units
        wanted += units.T @ (target(before, batch, codes) - hidden).flatten(0, 1)
    ridge = _RIDGE * gram.diagonal().mean() * torch.eye(size)
    layer.mlp.down_proj.weight.copy_(torch.linalg.solve((gram + ridge).double(), wanted.double()).float().T)


def first_layer(language: Language, batch: Batch, cells: Tensor) -> tuple[Tensor, Tensor]:
    """What the first layer is given and what it gives [B, S, D], shared block and questions."""
    size, questions, length = batch.text.shape
    decoder = language.model
    text = decoder.embed_tokens(batch.text.reshape(size, -1))
    shared = shared_embeddings(language, batch, cells)
    before = torch.cat([shared, text], dim=1)
    turned = decoder.rotary_emb(before, positions(batch))
    packed = (shared.shape[1], questions, length)
    return before, decoder.layers[0](before, position_embeddings=turned, packed=packed)


def target(before: Tensor, batch: Batch, codes: Codes) -> Tensor:
    """What it should give: places added to cells, words left alone."""
    wanted = before.clone()
    wanted[:, cell_rows(batch)] += codes.row[batch.cells // GRID] + codes.col[batch.cells % GRID]
    return wanted


def place_loss(before: Tensor, hidden: Tensor, batch: Batch, codes: Codes) -> tuple[Tensor, Tensor]:
    """How far the first layer is from its target, and of which cells it tells the place [B, I, V]."""
    missed = hidden - target(before, batch, codes)
    loss, right = 4 * missed.square().mean(), torch.ones_like(batch.cells, dtype=torch.bool)
    for table, labels in ((codes.row, batch.cells // GRID), (codes.col, batch.cells % GRID)):
        logits = _SHARPNESS * (missed[:, cell_rows(batch)] + table[labels]) @ table.T / table.square().sum(-1).mean()
        loss = loss + nn.functional.cross_entropy(logits.flatten(0, -2), labels.flatten())
        right &= logits.argmax(dim=-1) == labels
    return loss, right


def crowd(images: int, size: int, generator: torch.Generator | None = None) -> Batch:
    """Packs of random cells and words without any meaning: where a cell stands does not depend on it."""
    shape = (size, images, GRID * GRID)
    there = torch.rand(shape, generator=generator) < _FULL
    kinds, colors, parts = (
        there * torch.randint(len(table), shape, generator=generator) for table in (KINDS, CELL_COLORS, PARTS)
    )
    cells = torch.arange(GRID * GRID).expand(shape)
    text = torch.randint(len(TOKEN_IDS), (size, 1, 12), generator=generator)
    return Batch(kinds, colors, parts, cells, text, torch.full_like(text, IGNORE), [])
