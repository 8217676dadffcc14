"""The towers of `joined_reference.py`, of the tiny instance of every family that joins patches."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import torch
from every_family import FAMILIES
from families import Inputs
from joined_reference import Tower
from torch import Tensor
from transformers.vision_utils import get_vision_window_index

from eosdsl.lowering.tiles import prompt

JOINED = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "internvl", "idefics3", "smolvlm", "aya_vision", "gemma3")
QWEN = JOINED[:3]
PACKED = ("llava_next", "llava_onevision")


def encode(model: Any, inputs: Inputs) -> Any:
    """What the model makes of what is seen in a prompt, by its own door."""
    names = ("pixel_values", "image_grid_thw", "pixel_values_videos", "video_grid_thw")
    given = {name: inputs[name] for name in names if name in inputs}
    kind = "video" if "pixel_values_videos" in given else "image"
    with prompt(inputs["input_ids"]), torch.no_grad():
        return getattr(model.model, f"get_{kind}_features")(**given, return_dict=True)


def tower_of(name: str, model: Any, inputs: Inputs) -> Tower:
    """The tower with the one image or video of a prompt in front of its first layer."""
    return (_qwen if name in QWEN else _tiles)(name, model, inputs)


def _called(model: Any, layers: Sequence[Any], inputs: Inputs) -> list[tuple[Any, Any]]:
    calls: list[tuple[Any, Any]] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, args, kwargs: calls.append((args, kwargs)), with_kwargs=True)
        for layer in layers
    ]
    encode(model, inputs)
    for hook in hooks:
        hook.remove()
    return calls


def _qwen(name: str, model: Any, inputs: Inputs) -> Tower:
    visual = model.model.visual
    calls = _called(model, visual.blocks, inputs)
    hidden, rope = calls[0][0][0], calls[0][1]["position_embeddings"]
    order = torch.arange(len(hidden) // 4)
    if name == "qwen2_5_vl":
        grid = inputs["video_grid_thw" if "video_grid_thw" in inputs else "image_grid_thw"]
        order, _ = get_vision_window_index(grid, 2, visual.window_size, visual.patch_size)
    tokens = {int(token): [4 * place + i for i in range(4)] for place, token in enumerate(order)}
    see = [_together(kwargs["cu_seqlens"].tolist(), len(hidden)) for _, kwargs in calls]
    return Tower(visual.blocks, see, rope, lambda rows: visual.merger(rows)[0], hidden, dict(sorted(tokens.items())))


def _together(borders: list[int], rows: int) -> Tensor:
    see = torch.zeros(rows, rows, dtype=torch.bool)
    for start, end in pairwise(borders):
        see[start:end, start:end] = True
    return see


def _tiles(name: str, model: Any, inputs: Inputs) -> Tower:
    inner = model.model
    tower = inner.vision_model if hasattr(inner, "vision_model") else inner.vision_tower
    layers = tower.encoder.layer if name == "internvl" else tower.encoder.layers
    hidden = _called(model, layers, inputs)[0][0][0]
    tiles, length, _ = hidden.shape
    lead, side = (1, 4) if name == "internvl" else (0, 8 if name == "gemma3" else 4)
    tokens: dict[int, list[int]] = {}
    for tile in range(tiles):
        for down in range(0, side, 2):
            for across in range(0, side, 2):
                first = tile * length + lead + down * side + across
                tokens[len(tokens)] = [first, first + 1, first + side, first + side + 1]
    see = _together([tile * length for tile in range(tiles + 1)], tiles * length)
    return Tower(layers, [see] * len(layers), None, _join(name, inner, tower), hidden.flatten(0, 1), tokens)


def _join(name: str, inner: Any, tower: Any) -> Callable[[Tensor], Tensor]:
    """Patches of a token, row by row, to its feature."""
    if name == "internvl":
        return lambda rows: inner.multi_modal_projector(tower.layernorm(rows).flatten())
    if name == "gemma3":
        last = inner.multi_modal_projector
        return lambda rows: last.mm_soft_emb_norm(tower.post_layernorm(rows).mean(0)) @ last.mm_input_projection_weight
    if name == "aya_vision":
        return lambda rows: _gated(inner.multi_modal_projector, rows.flatten())
    return lambda rows: inner.connector.modality_projection(tower.post_layernorm(rows).flatten())


def _gated(projector: Any, joined: Tensor) -> Tensor:
    value, gate = projector.linear_1(projector.layernorm(joined)).chunk(2)
    return projector.linear_2(torch.nn.functional.silu(gate) * value)


def model_of(name: str, attention: str | None = None) -> Any:
    family = FAMILIES[name]
    return family.build(attention or family.attentions[0])
