"""FastV as toolkits do it with forward hooks, written for the benchmark from how they describe and structure it.

LightCompress (ModelTC/LightCompress, `token_reduction/fastv.py`) and others look for the image in the first sequence of
a batch, take the attention of the layer before the site from that layer, run eager, average it over the heads of the
first sequence, and from the site on hand every layer fewer rows, other positions and another mask. There are two ways
to get the attention: the layer itself runs eager, or it is run a second time in front of its own forward, and only
its attention is kept. Hooks see no padding but in the mask, of which they cut the same rows out for all sequences.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import Any

import torch
from random_llava import IMAGE
from torch import Tensor


@dataclass
class Noted:
    """What hooks tell each other in one forward."""

    start: int = 0
    length: int = 0
    scores: Tensor | None = None
    told: dict[str, Any] = field(default_factory=dict[str, Any])


def causal_mask(hidden: Tensor, padding: Tensor | None) -> Tensor:
    """[B, 1, L, L] added to logits, which eager attention needs: it knows no causality of its own."""
    length = hidden.shape[1]
    seen = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()[None, None]
    if padding is not None:
        seen = seen & padding[:, None, None, :].bool()
    return torch.zeros(seen.shape, dtype=hidden.dtype, device=hidden.device).masked_fill(
        ~seen, torch.finfo(hidden.dtype).min
    )


def best_rows(weights: Tensor, start: int, length: int, kept: int, total: int) -> Tensor:
    """The rows that stay, [K]: those of the text, and the visual ones that the last row looks at most, by the
    attention [B, H, L, L] of the first sequence of the batch."""
    looked = weights.mean(dim=1)[0][-1][start : start + length]
    visual = looked.topk(kept).indices.sort().values + start
    device = weights.device
    return torch.cat([torch.arange(start, device=device), visual, torch.arange(start + length, total, device=device)])


class HookedFastV:
    """Hooks on a LLaVA: `kept` visual tokens from decoder layer `layer` on. twice: the scoring layer is run twice."""

    def __init__(self, model: Any, layer: int, kept: int, *, twice: bool) -> None:
        self.model, self.kept, self.noted = model, kept, Noted()
        decoder = model.model.language_model
        scoring = decoder.layers[layer - 1]
        self.eager = copy.copy(decoder.config)
        self.eager._attn_implementation = "eager"
        self.own = scoring.self_attn.config
        model.register_forward_pre_hook(self._find, with_kwargs=True)
        if twice:
            scoring.register_forward_pre_hook(self._run_before, with_kwargs=True)
        else:
            scoring.self_attn.config = self.eager
            scoring.register_forward_pre_hook(self._give_mask, with_kwargs=True)
            scoring.self_attn.register_forward_hook(self._keep_scores)
        decoder.layers[layer].register_forward_pre_hook(self._prune, with_kwargs=True)
        for later in decoder.layers[layer + 1 :]:
            later.register_forward_pre_hook(self._tell, with_kwargs=True)

    def _find(self, model: Any, args: Any, kwargs: dict[str, Any]) -> None:
        rows = torch.where(kwargs["input_ids"][0] == IMAGE)[0]
        self.noted = Noted(int(rows[0]), int(rows.shape[0]))
        self.padding = kwargs.get("attention_mask")

    def _give_mask(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return args, {**kwargs, "attention_mask": causal_mask(args[0], self.padding)}

    def _keep_scores(self, attention: Any, args: Any, output: Any) -> None:
        self.noted.scores = output[1]

    def _run_before(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> None:
        """The layer once more, without the cache: what it makes is thrown away but for its attention."""
        more = {**kwargs, "attention_mask": causal_mask(args[0], self.padding), "past_key_values": None}
        layer.self_attn.config = self.eager
        handle = layer.self_attn.register_forward_hook(self._keep_scores)
        type(layer).forward(layer, *args, **more)
        handle.remove()
        layer.self_attn.config = self.own

    def _prune(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        noted, hidden = self.noted, args[0]
        assert noted.scores is not None
        rows = best_rows(noted.scores, noted.start, noted.length, self.kept, hidden.shape[1])
        cos, sin = kwargs["position_embeddings"]
        mask = kwargs["attention_mask"]
        noted.told = {
            "position_ids": kwargs["position_ids"][:, rows],
            "position_embeddings": (cos[:, rows], sin[:, rows]),
            "attention_mask": None if mask is None else mask[:, :, rows][:, :, :, rows],
        }
        noted.scores = None
        return (hidden[:, rows], *args[1:]), {**kwargs, **noted.told}

    def _tell(self, layer: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        return args, {**kwargs, **self.noted.told}
