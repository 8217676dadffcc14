"""A second implementation to test against: one prompt, plain loops over layers and heads, weights read from the model.

Nothing of eosdsl.lowering and nothing of transformers' forward is used, only the weights and the visual features. At a
site a function in the test, written from a paper or from the language's definition, says what becomes of the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from tiny_models import IMAGE, Prompt
from torch import Tensor


@dataclass(frozen=True)
class Rows:
    """What a site sees. hidden [L, D], positions [L], visual [L] bool, sizes [L]; attention [H, L, L] after softmax and
    keys [H_kv, L, d] after rotation, of the layer before (None at layer 0); `ahead`: attention of the layer to come;
    `later`: what is added to the rows behind each of the first layers, [L, D].
    """

    hidden: Tensor
    positions: Tensor
    visual: Tensor
    sizes: Tensor
    attention: Tensor | None = None
    keys: Tensor | None = None
    ahead: Tensor | None = None
    later: tuple[Tensor, ...] = ()


Site = Callable[[Rows], Rows]


def pick(rows: Rows, keep: Tensor) -> Rows:
    """Keep these rows (ascending indices)."""
    return replace(
        rows,
        hidden=rows.hidden[keep],
        positions=rows.positions[keep],
        visual=rows.visual[keep],
        sizes=rows.sizes[keep],
        later=tuple(one[keep] for one in rows.later),
    )


class Reference:
    """Prefill and decoding of one prompt. `bias`: per layer the strength of log-size attention bias."""

    def __init__(
        self,
        model: Any,
        sites: Mapping[int, Site],
        bias: Mapping[int, float] | None = None,
        compact: int = 99,
        middles: Mapping[int, Site] | None = None,
        features: tuple[Tensor, list[int]] | None = None,
    ) -> None:
        self.model = model
        self.text = model.model.language_model
        self.config = self.text.config
        self.sites = sites
        self.bias = bias or {}
        self.compact = compact  # first layer whose positions were renumbered
        self.middles = middles or {}  # what becomes of rows between attention and MLP of a layer
        self.features = features  # of the one image, as the tower left them, with the places they stand for

    def logits(self, prompt: Prompt, forced: list[int]) -> Tensor:
        """Logits [1 + len(forced), V]: after the prompt, then after each of the forced tokens."""
        rows = self._embed(prompt)
        length = prompt.input_ids.shape[1]
        cache: list[dict[str, Tensor]] = []
        for index, layer in enumerate(self.text.layers):
            if index in self.sites:
                ahead = self._block(layer, rows, index)[1]
                rows = self.sites[index](replace(rows, ahead=ahead))
            half, attention, keys, values = self._block(layer, rows, index)
            cache.append({"keys": keys, "values": values, "sizes": rows.sizes, "next": rows.positions[-1] + 1})
            rows = replace(rows, hidden=half, attention=attention, keys=keys)
            if index in self.middles:
                rows = self.middles[index](rows)
            rows = replace(rows, hidden=self._mlp(layer, rows.hidden))
        results = [self._head(rows.hidden[-1])]
        for step, token in enumerate(forced):
            results.append(self._head(self._decode(token, cache, length + step, step)))
        return torch.stack(results)

    def _embed(self, prompt: Prompt) -> Rows:
        ids = prompt.input_ids[0]
        hidden = self.text.embed_tokens(ids).clone()
        visual = ids == IMAGE
        positions = torch.arange(len(ids))
        if self.features is not None:
            features, places = self.features
            start = int(visual.nonzero()[0])
            kept = torch.tensor([start + place for place in places])
            hidden = torch.cat([hidden[:start], features, hidden[start + int(visual.sum()) :]])
            positions = torch.cat([positions[:start], kept, positions[start + int(visual.sum()) :]])
            visual = torch.cat([visual[:start], torch.ones(len(kept)).bool(), visual[start + int(visual.sum()) :]])
        elif prompt.pixel_values is not None:
            features = self.model.get_image_features(pixel_values=prompt.pixel_values, return_dict=True).pooler_output
            hidden[visual] = torch.cat(list(features)).to(hidden.dtype)
        if self.compact == 0:
            positions = torch.arange(len(hidden))
        return Rows(hidden, positions, visual, torch.ones(len(hidden)))

    def _block(self, layer: Any, rows: Rows, index: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        q, k, v = self._qkv(layer, rows.hidden, rows.positions)
        length = len(rows.hidden)
        allowed = torch.ones(length, length).tril().bool()
        attention = self._weights(q, k, allowed, rows.sizes, index)
        return self._half(layer, rows.hidden, attention, v), attention, k, v

    def _decode(self, token: int, cache: list[dict[str, Tensor]], position: int, step: int) -> Tensor:
        hidden = self.text.embed_tokens(torch.tensor([token]))
        for index, layer in enumerate(self.text.layers):
            held = cache[index]
            own = held["next"] + step if index >= self.compact else torch.tensor(position)
            q, k, v = self._qkv(layer, hidden, own[None])
            held["keys"] = torch.cat([held["keys"], k], dim=1)
            held["values"] = torch.cat([held["values"], v], dim=1)
            held["sizes"] = torch.cat([held["sizes"], torch.ones(1)])
            allowed = torch.ones(1, held["keys"].shape[1]).bool()
            attention = self._weights(q, held["keys"], allowed, held["sizes"], index)
            hidden = self._mlp(layer, self._half(layer, hidden, attention, held["values"]))
        return hidden[0]

    def _qkv(self, layer: Any, hidden: Tensor, positions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        normed = _rms(hidden, layer.input_layernorm.weight, self.config.rms_norm_eps)
        attention = layer.self_attn
        width = self.config.hidden_size // self.config.num_attention_heads
        parts = [
            torch.nn.functional.linear(normed, p.weight, p.bias).view(len(hidden), -1, width).transpose(0, 1)
            for p in (attention.q_proj, attention.k_proj, attention.v_proj)
        ]
        theta = self.config.rope_parameters["rope_theta"]
        return _rope(parts[0], positions, theta), _rope(parts[1], positions, theta), parts[2]

    def _weights(self, q: Tensor, k: Tensor, allowed: Tensor, sizes: Tensor, index: int) -> Tensor:
        heads = q.shape[0]
        shared = heads // k.shape[0]
        result = []
        for head in range(heads):
            logits = q[head] @ k[head // shared].T / q.shape[2] ** 0.5
            logits = logits + self.bias.get(index, 0.0) * sizes.log()
            result.append(logits.masked_fill(~allowed, float("-inf")).softmax(dim=-1))
        return torch.stack(result)

    def _half(self, layer: Any, hidden: Tensor, attention: Tensor, v: Tensor) -> Tensor:
        shared = attention.shape[0] // v.shape[0]
        mixed = torch.cat([attention[head] @ v[head // shared] for head in range(attention.shape[0])], dim=1)
        return hidden + torch.nn.functional.linear(mixed, layer.self_attn.o_proj.weight)

    def _mlp(self, layer: Any, hidden: Tensor) -> Tensor:
        normed = _rms(hidden, layer.post_attention_layernorm.weight, self.config.rms_norm_eps)
        mlp = layer.mlp
        gate = torch.nn.functional.silu(normed @ mlp.gate_proj.weight.T)
        return hidden + (gate * (normed @ mlp.up_proj.weight.T)) @ mlp.down_proj.weight.T

    def _head(self, hidden: Tensor) -> Tensor:
        return self.model.lm_head.weight @ _rms(hidden, self.text.norm.weight, self.config.rms_norm_eps)


def _rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / (x.square().mean(dim=-1, keepdim=True) + eps).sqrt() * weight


def _rope(x: Tensor, positions: Tensor, theta: float) -> Tensor:
    """Rotation of pairs (i, i + d/2) by position / theta^(2i/d); x [H, L, d]."""
    half = x.shape[2] // 2
    angle = positions[:, None].float() * theta ** (-torch.arange(half).float() / half)
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, b * cos + a * sin], dim=-1)
