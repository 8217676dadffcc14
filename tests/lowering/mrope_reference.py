"""A second implementation for M-RoPE decoders: one prompt, prefill and decoding, written from the Qwen2-VL paper.

Nothing of eosdsl.lowering, of transformers' forwards or of its position code is used, only weights and visual features:
positions are counted here from the prompt (arXiv 2409.12191, section 2.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from eager_reference import Reference, Rows
from families import VIDEO, Inputs
from tiny_models import IMAGE
from torch import Tensor


class MropeReference(Reference):
    """As `Reference`, with positions [L, 3] of frame, row and column."""

    def answer(self, inputs: Inputs, forced: Sequence[int], seconds: int = 1) -> Tensor:
        """Logits [1 + len(forced), V]; `seconds`: what a frame's position counts by (tokens a second, in 2.5)."""
        rows = self._seen(inputs, seconds)
        following = int(rows.positions.max()) + 1
        cache: list[dict[str, Any]] = []
        for index, layer in enumerate(self.text.layers):
            if index in self.sites:
                rows = self.sites[index](rows)
            half, attention, keys, values = self._block(layer, rows, index)
            start = int(rows.positions.max()) + 1 if index >= self.compact else following
            cache.append({"keys": keys, "values": values, "sizes": rows.sizes, "start": start})
            hidden = self._mlp(layer, half)
            if index < len(rows.later):
                hidden = hidden + rows.later[index]
            rows = replace(rows, hidden=hidden, attention=attention, keys=keys)
        results = [self._head(rows.hidden[-1])]
        for step, token in enumerate(forced):
            results.append(self._head(self._one(token, cache, step)))
        return torch.stack(results)

    def _one(self, token: int, cache: list[dict[str, Any]], step: int) -> Tensor:
        hidden = self.text.embed_tokens(torch.tensor([token]))
        for index, layer in enumerate(self.text.layers):
            held = cache[index]
            q, k, v = self._qkv(layer, hidden, torch.full((1, 3), held["start"] + step))
            held["keys"] = torch.cat([held["keys"], k], dim=1)
            held["values"] = torch.cat([held["values"], v], dim=1)
            held["sizes"] = torch.cat([held["sizes"], torch.ones(1)])
            allowed = torch.ones(1, held["keys"].shape[1]).bool()
            attention = self._weights(q, held["keys"], allowed, held["sizes"], index)
            hidden = self._mlp(layer, self._half(layer, hidden, attention, held["values"]))
        return hidden[0]

    def _seen(self, inputs: Inputs, seconds: int) -> Rows:
        ids = inputs["input_ids"][0]
        hidden = self.text.embed_tokens(ids).clone()
        later = [
            torch.zeros_like(hidden) for _ in getattr(self.model.config.vision_config, "deepstack_visual_indexes", ())
        ]
        for token, kind, names in (
            (IMAGE, "image", ("pixel_values", "image_grid_thw")),
            (VIDEO, "video", ("pixel_values_videos", "video_grid_thw")),
        ):
            if names[0] in inputs:
                features = getattr(self.model, f"get_{kind}_features")(*(inputs[name] for name in names))
                hidden[ids == token] = torch.cat(list(features.pooler_output))
                for depth, one in enumerate(later):
                    one[ids == token] = torch.cat(list(features.deepstack_features[depth]))
        positions = _positions(ids.tolist(), inputs, seconds)
        visual = (ids == IMAGE) | (ids == VIDEO)
        return Rows(hidden, positions, visual, torch.ones(len(ids)), later=tuple(later))

    def _qkv(self, layer: Any, hidden: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed = hidden / (hidden.square().mean(-1, keepdim=True) + self.config.rms_norm_eps).sqrt()
        normed = normed * layer.input_layernorm.weight
        attention = layer.self_attn
        q, k, v = (
            torch.nn.functional.linear(normed, p.weight, p.bias)
            .view(len(hidden), -1, attention.head_dim)
            .transpose(0, 1)
            for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        )
        rope = self.config.rope_parameters
        if hasattr(attention, "q_norm"):
            eps = self.config.rms_norm_eps
            q, k = (
                x / (x.square().mean(-1, keepdim=True) + eps).sqrt() * norm.weight
                for x, norm in ((q, attention.q_norm), (k, attention.k_norm))
            )
        axis = _axes(rope["mrope_section"], apart=hasattr(attention, "q_norm"))
        q, k = (_turned(x, positions, rope["rope_theta"], axis) for x in (q, k))
        return q, k, v


def _positions(ids: list[int], inputs: Inputs, seconds: int) -> Tensor:
    """[L, 3]: text counts on all axes at once; what is seen spans a box, and text goes on behind its longer side."""
    grids = {token: list(inputs.get(name, torch.zeros(0, 3)).tolist()) for token, name in _GRIDS.items()}
    at, row, places = 0, 0, list[list[int]]()
    while row < len(ids):
        if ids[row] not in grids:
            places.append([at] * 3)
            at, row = at + 1, row + 1
            continue
        frames, down, across = (int(n) for n in grids[ids[row]].pop(0))
        pace = seconds if ids[row] == VIDEO else 1
        box = [
            [at + pace * t, at + y, at + x] for t in range(frames) for y in range(down // 2) for x in range(across // 2)
        ]
        places += box
        runs = frames if frames > 1 and ids[row : row + len(box)] != [ids[row]] * len(box) else 1
        if runs > 1:  # Qwen3-VL: text between the frames of a video, each of which is placed like an image
            box = [[at, at + y, at + x] for y in range(down // 2) for x in range(across // 2)]
            places[-len(box) * frames :] = box
            grids[ids[row]][:0] = [[1, down, across]] * (frames - 1)
        at, row = at + max(down, across) // 2, row + len(box)
    return torch.tensor(places)


_GRIDS = {IMAGE: "image_grid_thw", VIDEO: "video_grid_thw"}


def _axes(section: list[int], *, apart: bool) -> list[int]:
    """Which axis turns each pair: one axis after the other, or (Qwen3-VL) the three by turns."""
    if not apart:
        return [number for number, size in enumerate(section) for _ in range(size)]
    turns = [place % 3 for place in range(sum(section))]
    return [axis if place < 3 * section[axis] else 0 for place, axis in enumerate(turns)]


def _turned(x: Tensor, positions: Tensor, theta: float, axis: list[int]) -> Tensor:
    """Rotation of pairs (i, i + d/2) by the position on the axis that i belongs to; x [H, L, d], positions [L, 3]."""
    half = x.shape[2] // 2
    angle = positions[:, axis].float() * theta ** (-torch.arange(half).float() / half)
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
