"""A static cache layer behind a reduction: room for fewer rows than the prompt has, at one address.

It is allocated when the first rows come, once it is known how many are gone: a layer behind half of 576 visual tokens
has room for 288 rows less than one in front. Nothing that the host counts changes while decoding, so a compiled step is
one graph that stays: the rows held are counted by a tensor, and state covers every slot, those not filled yet included.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import StaticLayer

from eosdsl.lowering.row_state import RowState
from eosdsl.lowering.stream import Stream


class ReducedStaticLayer(RowState, StaticLayer):
    """keep [B, T] and bias [B, T] over the T slots; `max_cache_len` becomes T once rows have come."""

    def __init__(self, max_cache_len: int) -> None:
        StaticLayer.__init__(self, max_cache_len)
        self._logical_room = max_cache_len

    def make_room(self, removed: int) -> None:
        if not self.is_initialized:
            self.max_cache_len = self._logical_room - removed

    def over_keys(self, held: Tensor | None, new: Tensor | None, like: tuple[int, int], fill: Any) -> Tensor | None:
        if new is None:
            return held
        slots = (like[0], self.max_cache_len)
        every = torch.full(slots, fill, dtype=new.dtype, device=new.device) if held is None else held
        first = self.cumulative_length.to(new.device)
        return every.index_copy(1, torch.arange(like[1], device=new.device) + first, new)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        self._take()
        return StaticLayer.update(self, key_states, value_states, *args, **kwargs)

    def get_seq_length(self) -> Any:
        """The logical length: a tensor once rows have come, as static layers have it."""
        return self.cumulative_length + self.removed if self.is_initialized else 0

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.max_cache_len, self.removed if self.is_initialized else 0

    def reset(self) -> None:
        """Empty the layer; its room is made anew, for other prompts lose other numbers of rows."""
        self.keys = self.values = None
        self.is_initialized = False
        self.cumulative_length = torch.zeros_like(self.cumulative_length)
        self.max_cache_len = self._logical_room
        self._forget()

    def reorder_cache(self, beam_idx: Any) -> None:
        StaticLayer.reorder_cache(self, beam_idx)
        self._map_state(lambda state: state.index_select(0, beam_idx.to(state.device)))


def is_static(layer: Any) -> bool:
    """Whether a cache layer has slots that are not filled yet."""
    return isinstance(layer, StaticLayer)


def slots_filled(layer: Any, stream: Stream, *, ran: bool) -> int:
    """Slots of a static layer that hold rows, once it has run on the rows of this forward; known to the host."""
    assert stream.given is not None
    entered = stream.given.shape[1] if ran else stream.hidden.shape[1]
    return stream.earlier + entered - getattr(layer, "removed", 0)


def rows_before(cache: Any) -> int:
    """Rows of the unreduced sequence that a static cache holds, 0 for others. Costs a transfer where it is in use."""
    if cache is None or not cache.layers or not is_static(cache.layers[0]):
        return 0
    return int(cache.get_seq_length())
