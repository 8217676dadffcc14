"""FastV as its authors do it, in a patched modelling file, written for the benchmark from how they describe it.

FastV (arXiv 2403.06764, pkunlp-icler/FastV) changes the loop over the layers of `LlamaModel`: where the image begins
and how long it is are settings, the layer before the site gives its attention (eager), the last row's mean over the
heads of the first sequence ranks the visual tokens, the best stay, positions are the indices kept, and the mask of
what is left is made anew, for a sequence without padding.
"""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any

import torch
from peer_hooks import best_rows, causal_mask
from torch import Tensor
from transformers import DynamicCache
from transformers.masking_utils import create_causal_mask
from transformers.modeling_outputs import BaseModelOutputWithPast


def patch(model: Any, layer: int, kept: int, *, start: int, length: int) -> Any:
    """The model with the forward of its decoder replaced; of the prompt, it is told where the image stands."""
    decoder = model.model.language_model
    scoring = decoder.layers[layer - 1].self_attn
    scoring.config = copy.copy(scoring.config)
    scoring.config._attn_implementation = "eager"

    def forward(
        self: Any,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        inputs_embeds: Any = None,
        **_: Any,
    ) -> BaseModelOutputWithPast:
        cache = DynamicCache(config=self.config)
        hidden = inputs_embeds
        positions = torch.arange(hidden.shape[1], device=hidden.device)[None] if position_ids is None else position_ids
        mask: Any = create_causal_mask(
            config=self.config, inputs_embeds=hidden, attention_mask=attention_mask, past_key_values=cache
        )
        ropes = self.rotary_emb(hidden, position_ids=positions)
        weights: list[Tensor] = []
        handle = scoring.register_forward_hook(lambda module, args, output: weights.append(output[1]))
        for index, each in enumerate(self.layers):
            own = causal_mask(hidden, attention_mask) if index == layer - 1 else mask
            if index == layer:
                rows = best_rows(weights[0], start, length, kept, hidden.shape[1])
                hidden, positions, mask = hidden[:, rows], rows[None], None
                ropes = self.rotary_emb(hidden, position_ids=positions)
                own = mask
            hidden = each(hidden, attention_mask=own, position_embeddings=ropes, past_key_values=cache, use_cache=True)
        handle.remove()
        return BaseModelOutputWithPast(last_hidden_state=self.norm(hidden), past_key_values=cache)

    decoder.forward = MethodType(forward, decoder)
    return model
