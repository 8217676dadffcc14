"""A cache layer behind a reduction: it holds fewer rows than the prompt has, and says which of them count.

State of a sequence lives here and nowhere else, so beams that reorder the cache and batches that select from it carry
it along. `get_seq_length` is the logical length, that of the unreduced sequence: `generate` slices prompts and counts
positions by it; `get_mask_sizes` gives the physical length, with the difference as the offset of the keys.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicCache, DynamicLayer

from eosdsl.lowering.refusals import refuse


@dataclass(frozen=True)
class Coming:
    """The rows that the next update brings. keep and bias cover them and those held; `removed` more are gone.

    tail: rows behind the last visual token, None where no image comes; gap [B, 1]: how far positions of this layer fall
    short of those that forwards come with, None: as before.
    """

    keep: Tensor | None
    bias: Tensor | None
    removed: int = 0
    tail: int | None = None
    gap: Tensor | None = None


class ReducedLayer(DynamicLayer):
    """keep [B, P] bool and bias [B, P] float32 over the P rows held, None where all count alike; gap [B, 1] int64,
    how far
    positions fall short of the logical ones, None: not; `removed` rows are gone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.keep: Tensor | None = None
        self.bias: Tensor | None = None
        self.gap: Tensor | None = None
        self.removed = 0
        self.tail = 0
        self._coming: Coming | None = None

    @property
    def held(self) -> int:
        """Rows held (the physical length)."""
        return super().get_seq_length()

    def expect(self, coming: Coming) -> None:
        """Announce what the next update brings."""
        self._coming = coming

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        coming, self._coming = self._coming, None
        if coming is None:
            refuse(
                "E0446",
                "the cache was filled by a reduced model and is used without its operator",
                "start from an empty cache, or attach the operator that filled it",
            )
        self.keep, self.bias = coming.keep, coming.bias
        self.gap = self.gap if coming.gap is None else coming.gap
        self.removed += coming.removed
        self.tail = self.tail + key_states.shape[-2] if coming.tail is None else coming.tail
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
        self.keep = self.bias = self.gap = self._coming = None
        self.removed = self.tail = 0

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
        self.gap = None if self.gap is None else change(self.gap)


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
