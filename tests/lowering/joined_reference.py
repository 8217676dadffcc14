"""Towers whose patches are joined, in plain loops over rows: a whole image runs, and what is given up is not seen.

What a layer is called with is taken from a run of the model itself; which rows are a token is written down here again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass
class Rows:
    """All rows of the tower that one image has, in front of some layer: hidden [R, D], and of each of its tokens the
    rows and how many tokens it stands for; what was given up is no longer among them.
    """

    hidden: Tensor
    tokens: dict[int, list[int]]
    sizes: dict[int, float]

    def side_by_side(self, token: int) -> Tensor:
        return self.hidden[self.tokens[token]].flatten()


@dataclass
class Tower:
    """layers; see: per layer [R, R] bool, which rows attend to which; rope (cos, sin) [R, d]; join: patches of a token
    [U, D] to its feature; entered [R, D]: the rows in front of the first layer; tokens: their rows.
    """

    layers: Sequence[Any]
    see: list[Tensor]
    rope: tuple[Tensor, Tensor] | None
    join: Callable[[Tensor], Tensor]
    entered: Tensor
    tokens: dict[int, list[int]]

    def start(self) -> Rows:
        return Rows(self.entered, dict(self.tokens), dict.fromkeys(self.tokens, 1.0))

    def run(self, rows: Rows, index: int) -> tuple[Rows, Tensor]:
        """One layer, and its attention [H, R, R]."""
        layer = self.layers[index]
        gone = set(rows_of(self.tokens)) - set(rows_of(rows.tokens))
        seen = self.see[index].clone()
        seen[:, sorted(gone)] = False
        hidden, weights = block(layer, rows.hidden, seen, self.rope)
        return Rows(hidden, rows.tokens, rows.sizes), weights

    def features(self, rows: Rows) -> Tensor:
        return torch.stack([self.join(rows.hidden[own]) for own in rows.tokens.values()])


def block(layer: Any, hidden: Tensor, seen: Tensor, rope: tuple[Tensor, Tensor] | None) -> tuple[Tensor, Tensor]:
    """A pre-norm layer of whatever tower: rows that see nothing stay what they are, for nobody looks at them."""
    attention = one_of(layer, "self_attn", "attention", "attn")
    normed = one_of(layer, "layer_norm1", "layernorm_before", "norm1")(hidden)
    if hasattr(attention, "qkv"):
        queries, keys, values = attention.qkv(normed).chunk(3, dim=1)
    else:
        queries, keys, values = attention.q_proj(normed), attention.k_proj(normed), attention.v_proj(normed)
    queries, keys, values = (
        one.view(len(one), -1, attention.head_dim).transpose(0, 1) for one in (queries, keys, values)
    )
    if rope is not None:
        queries, keys = turned(queries, *rope), turned(keys, *rope)
    logits = (queries @ keys.transpose(1, 2) / attention.head_dim**0.5).masked_fill(~seen, -torch.inf)
    weights = logits.softmax(dim=2).nan_to_num()
    mixed = (weights @ values).transpose(0, 1).flatten(1)
    middle = hidden + getattr(layer, "lambda_1", 1.0) * one_of(attention, "out_proj", "projection_layer", "proj")(mixed)
    out = layer.mlp(one_of(layer, "layer_norm2", "layernorm_after", "norm2")(middle))
    return middle + getattr(layer, "lambda_2", 1.0) * out, weights


def turned(heads: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = heads.chunk(2, dim=-1)
    return heads * cos + torch.cat([-second, first], dim=-1) * sin


def one_of(owner: Any, *names: str) -> Any:
    return next(getattr(owner, name) for name in names if hasattr(owner, name))


def rows_of(tokens: dict[int, list[int]]) -> list[int]:
    """The rows of all tokens, in their order."""
    return sorted(row for own in tokens.values() for row in own)


def best(scores: dict[int, float], count: int) -> list[int]:
    """The tokens of the highest scores, in their order."""
    return sorted(sorted(scores, key=lambda token: -scores[token])[:count])


def pruned(rows: Rows, kept: Sequence[int]) -> Rows:
    return Rows(
        rows.hidden, {token: rows.tokens[token] for token in kept}, {token: rows.sizes[token] for token in kept}
    )


def merged(rows: Rows, kept: Sequence[int]) -> Rows:
    """Every other token goes, patch by patch, into the kept one most like it, side by side; sizes weigh."""
    sums = {token: rows.hidden[rows.tokens[token]] * rows.sizes[token] for token in kept}
    sizes = {token: rows.sizes[token] for token in kept}
    for token in rows.tokens:
        if token in sums:
            continue
        own = rows.side_by_side(token)
        into = max(kept, key=lambda anchor: float(torch.cosine_similarity(own, rows.side_by_side(anchor), dim=0)))
        sums[into] = sums[into] + rows.hidden[rows.tokens[token]] * rows.sizes[token]
        sizes[into] += rows.sizes[token]
    hidden = rows.hidden.clone()
    for token in kept:
        hidden[rows.tokens[token]] = sums[token] / sizes[token]
    return Rows(hidden, {token: rows.tokens[token] for token in kept}, sizes)


def norms(rows: Rows) -> dict[int, float]:
    return {token: float(rows.side_by_side(token).norm()) for token in rows.tokens}


def received(rows: Rows, weights: Tensor, asking: Sequence[int]) -> dict[int, float]:
    """Mean attention over heads, over the rows that ask, and over the token's patches."""
    return {token: float(weights[:, asking][:, :, own].mean()) for token, own in rows.tokens.items()}
