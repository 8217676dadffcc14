"""A cache layer behind a reduction: it holds fewer rows than the prompt has, and says which of them count.

State of a sequence lives here and nowhere else, so beams that reorder the cache and batches that select from it carry
it along. `get_seq_length` is the logical length, that of the unreduced sequence: `generate` slices prompts and counts
positions by it; `get_mask_sizes` gives the physical length, with the difference as the offset of the keys.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from eosdsl.lowering.refusals import refuse


class ReducedLayer(DynamicLayer):
    """keep [B, P] bool and bias [B, P] float32 over the P rows held, None where all count alike; `removed` rows are
    gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keep: Tensor | None = None
        self.bias: Tensor | None = None
        self.removed = 0
        self.tail = 0
        self._expected = False

    @property
    def held(self) -> int:
        """Rows held (the physical length)."""
        return super().get_seq_length()

    def expect(self, keep: Tensor | None, bias: Tensor | None, removed: int, tail: int | None) -> None:
        """Announce the rows that the next update brings: keep and bias cover them, `removed` is how many more are gone.

        tail: rows behind the last visual token of the update, None where it brings no image.
        """
        self.keep, self.bias = keep, bias
        self.removed += removed
        self._tail_to_come = tail
        self._expected = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        if not self._expected:
            refuse(
                "E0446",
                "the cache was filled by a reduced model and is used without its operator",
                "start from an empty cache, or attach the operator that filled it",
            )
        self._expected = False
        self.tail = self.tail + key_states.shape[-2] if self._tail_to_come is None else self._tail_to_come
        return super().update(key_states, value_states, *args, **kwargs)

    def get_seq_length(self) -> int:
        held = self.held
        return held + self.removed if held else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        held = self.held
        return held + query_length, self.removed if held else 0

    def crop(self, tokens_to_remove: int) -> None:
        rows = abs(tokens_to_remove)
        if rows > self.tail:
            refuse("E0441", f"{rows} rows cannot be taken back: only {self.tail} came after the last reduced image")
        super().crop(tokens_to_remove)
        if rows == 0:
            return
        self.tail -= rows
        self.keep = None if self.keep is None else self.keep[:, :-rows]
        self.bias = None if self.bias is None else self.bias[:, :-rows]

    def reset(self) -> None:
        super().reset()
        self.keep = self.bias = None
        self.removed = self.tail = 0
        self._expected = False

    def reorder_cache(self, beam_idx: Any) -> None:
        super().reorder_cache(beam_idx)
        self._map_state(lambda state: state.index_select(0, beam_idx.to(state.device)))

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._map_state(lambda state: state.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._map_state(lambda state: state[indices, ...])

    def _map_state(self, change: Any) -> None:
        self.keep = None if self.keep is None else change(self.keep)
        self.bias = None if self.bias is None else change(self.bias)


def prepare_cache(cache: Any, first: int, layers: int) -> None:
    """Make the layers of `cache` from `first` on able to hold reduced sequences. A cache that is in use is left as it
    is.

    Raises:
        SpecError: E0433 where the cache is of a kind that cannot, E0446 where it was filled without an operator.
    """
    if cache is None:
        return
    refuse_cache(cache)
    for index in range(layers):
        if index == len(cache.layers):
            cache.layers.append(DynamicLayer())
        layer = cache.layers[index]
        if index < first or isinstance(layer, ReducedLayer):
            continue
        if layer.get_seq_length() > 0:
            refuse("E0446", "the cache was filled before the operator was attached", "start from an empty cache")
        cache.layers[index] = ReducedLayer()


def refuse_cache(cache: Any) -> None:
    """Raise SpecError (E0433) unless `cache` is a DynamicCache of plain layers that stay on their device."""
    if not isinstance(cache, DynamicCache):
        refuse("E0433", f"{type(cache).__name__} is not supported while an operator is attached", "use a DynamicCache")
    if cache.offloading:
        refuse("E0433", "an offloaded cache is not supported while an operator is attached")
    odd = {type(layer).__name__ for layer in cache.layers if type(layer) not in (DynamicLayer, ReducedLayer)}
    if odd:
        refuse(
            "E0433", f"cache layers of kind {', '.join(sorted(odd))} are not supported while an operator is attached"
        )


def joined(held: Tensor | None, new: Tensor | None, past: int, like: tuple[int, int], fill: Any) -> Tensor | None:
    """State over past and new rows: [B, past + L], None where both are None (nothing to tell apart).

    `like` is (B, L); `fill` what rows hold of which nothing is known: True for keep, 0.0 for bias.
    """
    if held is None and new is None:
        return None
    batch, length = like
    known = held if held is not None else new
    assert known is not None
    parts = [
        held if held is not None else torch.full((batch, past), fill, dtype=known.dtype, device=known.device),
        new if new is not None else torch.full((batch, length), fill, dtype=known.dtype, device=known.device),
    ]
    return torch.cat(parts, dim=1)
