"""A second implementation of CLIP and SigLIP towers inside LLaVA, for one image, in plain loops."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Patches:
    """Rows in the tower: hidden [L, D], sizes [L], places (of each row in the unreduced image, -1 for the CLS row);
    of the layer before or at hand: attention [H, L, L], keys [L, H, d]."""

    hidden: Tensor
    sizes: Tensor
    places: list[int]
    attention: Tensor | None = None
    keys: Tensor | None = None

    @property
    def free(self) -> list[int]:
        """Rows that are patches."""
        return [row for row, place in enumerate(self.places) if place >= 0]


Site = Callable[[Patches], Patches]


def keep(rows: Patches, kept: list[int]) -> Patches:
    """These rows, in this order."""
    return replace(rows, hidden=rows.hidden[kept], sizes=rows.sizes[kept], places=[rows.places[r] for r in kept])


def merged(rows: Patches, kept: list[int], into: dict[int, int]) -> Patches:
    """Rows `kept`, those given up averaged by size into the row that `into` names."""
    total = {row: rows.sizes[row] * rows.hidden[row] for row in kept}
    sizes = {row: rows.sizes[row].clone() for row in kept}
    for row, target in into.items():
        total[target] = total[target] + rows.sizes[row] * rows.hidden[row]
        sizes[target] = sizes[target] + rows.sizes[row]
    left = keep(rows, kept)
    return replace(
        left,
        hidden=torch.stack([total[row] / sizes[row] for row in kept]),
        sizes=torch.stack([sizes[row] for row in kept]),
    )


def tower_features(
    model: Any,
    pixels: Tensor,
    before: Mapping[int, Site] | None = None,
    middles: Mapping[int, Site] | None = None,
    output: Site | None = None,
    bias: float = 0.0,
) -> tuple[Tensor, list[int]]:
    """Projected features [K, D] of one image [3, H, W], and the places they stand for.

    before and middles: what becomes of rows in front of layers and between their halves; output: at the features.
    """
    vision = model.model.vision_tower
    hidden = vision.embeddings(pixels[None])
    if hasattr(vision, "pre_layrnorm"):
        hidden = vision.pre_layrnorm(hidden)
    leading = int(hasattr(vision, "pre_layrnorm"))
    length = hidden.shape[1]
    rows = Patches(hidden[0], torch.ones(length), [*[-1] * leading, *range(length - leading)])
    layers = vision.encoder.layers
    for index in range(len(layers) - 1):  # features are those behind the last but one
        if before and index in before:
            rows = before[index](rows)
        rows = attend(layers[index], rows, bias)
        if middles and index in middles:
            rows = middles[index](rows)
        normed = layers[index].layer_norm2(rows.hidden)
        rows = replace(rows, hidden=rows.hidden + layers[index].mlp(normed))
    if output is not None:
        rows = output(rows)
    patches = rows.free
    features = model.model.multi_modal_projector(rows.hidden[patches])
    return features, [rows.places[row] for row in patches]


def attend(layer: Any, rows: Patches, bias: float) -> Patches:
    attention = layer.self_attn
    normed = layer.layer_norm1(rows.hidden)
    heads = attention.num_heads
    q, k, v = (
        torch.nn.functional.linear(normed, p.weight, p.bias).view(len(normed), heads, -1)
        for p in (attention.q_proj, attention.k_proj, attention.v_proj)
    )
    weights = []
    for head in range(heads):
        logits = q[:, head] @ k[:, head].T / q.shape[2] ** 0.5
        weights.append((logits + bias * rows.sizes.log()).softmax(dim=-1))
    mixed = torch.cat([weights[head] @ v[:, head] for head in range(heads)], dim=1)
    out = torch.nn.functional.linear(mixed, attention.out_proj.weight, attention.out_proj.bias)
    return replace(rows, hidden=rows.hidden + out, attention=torch.stack(weights), keys=k)
