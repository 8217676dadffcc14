"""Layers of a tower whose patches are joined, called as transformers calls them, or half by half."""

from __future__ import annotations

from inspect import signature
from typing import Any

import torch
from torch import Tensor, nn

from eosdsl.lowering.cells import Called
from eosdsl.lowering.devices import on
from eosdsl.lowering.halves import MIDDLE, Kept, attention_function, refuse_unknown
from eosdsl.lowering.projections import (
    after_attention,
    attention_of,
    before_attention,
    out_projection,
    project_all,
    rotate_patches,
    scaling,
)


class CellLayer(nn.Module):
    """A layer of the tower over T sequences of rows, by one call for all kinds of towers.

    kind: what its rows attend to; packed: it takes all images as one sequence, with borders between what attends to
    each other. A layer that takes no mask (InternVL's), or no bias, runs in halves where there is one.
    """

    def __init__(self, layer: nn.Module, kind: str, *, packed: bool) -> None:
        super().__init__()
        self.layer: Any = layer
        self.kind = kind
        self.packed = packed
        self.masks = "attention_mask" in signature(type(layer).forward).parameters

    def forward(self, hidden: Tensor, called: Called) -> Tensor:
        """hidden [T, L, D] → [T, L, D]."""
        if hidden.shape[1] == 0:
            return hidden
        if called.bias is not None if self.packed else called.mask is not None and not self.masks:
            middle = CellAttention(self)(hidden, called)
            return self.layer(hidden, **{MIDDLE: middle})
        if not self.packed:
            return self.layer(hidden, called.mask) if self.masks else self.layer(hidden)
        assert called.rope is not None
        cos, sin = called.rope
        borders = {"cu_seqlens": called.borders[self.kind], "position_embeddings": (cos[0], sin[0])}
        return self.layer(hidden[0], **{**called.given, **borders})[None]


class CellAttention(nn.Module):
    """hidden [T, L, D] → hidden + attention(norm(hidden)); with the keys and values made for it, where they are
    kept."""

    def __init__(self, cell: CellLayer, *, keeps: bool = False) -> None:
        super().__init__()
        refuse_unknown(cell.layer)
        self.cell = cell
        self.keeps = keeps

    def forward(self, hidden: Tensor, called: Called) -> Any:
        layer = self.cell.layer
        called = on(called, hidden.device)
        queries, keys, values = (
            heads.to(hidden.device) for heads in project_all(layer, before_attention(layer)(hidden))
        )
        rope = called.rope
        queries, keys = rotate_patches(layer, queries, rope), rotate_patches(layer, keys, rope)
        mixed = self._mixed(queries, keys, values, called)
        out = out_projection(layer)(mixed.reshape(*hidden.shape[:2], -1).contiguous())
        added = after_attention(layer, out)
        middle = hidden.to(added.device) + added
        return Kept(middle, keys, values) if self.keeps else middle

    def _mixed(self, queries: Tensor, keys: Tensor, values: Tensor, called: Called) -> Tensor:
        """[T, L, H, head width]: every row's mixture of the values that it attends to."""
        if not self.cell.packed:
            return self._attend(queries, keys, values, called.mask)
        borders = called.borders[self.cell.kind]
        lengths = (borders[1:] - borders[:-1]).tolist()
        added = [None] * len(lengths)
        if called.bias is not None:
            added = called.bias[:, None, None, :].to(queries.dtype).split(lengths, dim=3)
        parts = zip(*(heads.split(lengths, dim=2) for heads in (queries, keys, values)), added, strict=True)
        return torch.cat([self._attend(*part) for part in parts], dim=1)

    def _attend(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        attention = attention_of(self.cell.layer)
        if mask is not None:
            mask = mask.expand(-1, -1, queries.shape[2], -1)
        return attention_function(attention)(
            attention, queries, keys, values, mask, scaling=scaling(self.cell.layer), dropout=0.0, is_causal=False
        )[0]
