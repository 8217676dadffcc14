"""How many tokens flow through the layers of a relaxed model, with a gradient: what costs are computed from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

Entries = Sequence[tuple[int, bool, Tensor]]
"""(boundary, whether between a layer's halves, tokens [G] from there on)."""


@dataclass(frozen=True)
class Flow:
    """Soft tokens of the G images of a forward. decoder [G, L]: entering each decoder layer, decoder_mlp [G, L]: its
    MLP; encoder and encoder_mlp [G, layers of the tower]: patches there; arriving [G]: tokens in front of the decoder.
    original: unreduced visual tokens per image.

    At temperatures of zero these are the counts that `plan` prints.
    """

    decoder: Tensor
    decoder_mlp: Tensor
    encoder: Tensor
    encoder_mlp: Tensor
    arriving: Tensor
    original: tuple[int, ...]


def through_layers(first: Tensor, entries: Entries, layers: int) -> tuple[Tensor, Tensor]:
    """Tokens [G, layers] entering every layer, and its MLP, where `first` [G] enter layer 0."""
    entering: list[Tensor] = []
    in_mlp: list[Tensor] = []
    current = first
    waiting = list(entries)
    for layer in range(layers):
        while waiting and waiting[0][0] <= layer:
            current = waiting.pop(0)[2]
        entering.append(current)
        if waiting and waiting[0][0] == layer + 1 and waiting[0][1]:
            current = waiting.pop(0)[2]
        in_mlp.append(current)
    if not layers:
        return first.new_zeros(len(first), 0), first.new_zeros(len(first), 0)
    return torch.stack(entering, dim=1), torch.stack(in_mlp, dim=1)
