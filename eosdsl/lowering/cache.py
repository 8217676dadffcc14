"""Caches while an operator is attached: layers behind a reduction hold fewer rows than the prompt has, and say which of
them count (`eosdsl.lowering.row_state`).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import (
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
    StaticCache,
    StaticLayer,
    StaticSlidingWindowLayer,
)

from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.row_state import RowState
from eosdsl.lowering.static_cache import ReducedStaticLayer


class ReducedLayer(RowState, DynamicLayer):
    """A layer that grows. `tail`: rows that can be taken back."""

    def __init__(self) -> None:
        DynamicLayer.__init__(self)
        self.tail = 0

    @property
    def held(self) -> int:
        """Rows held (the physical length)."""
        return super().get_seq_length()

    def over_keys(self, held: Tensor | None, new: Tensor | None, like: tuple[int, int], fill: Any) -> Tensor | None:
        if held is None and new is None:
            return None
        batch, length = like
        known = held if held is not None else new
        assert known is not None
        parts = [
            held if held is not None else torch.full((batch, self.held), fill, dtype=known.dtype, device=known.device),
            new if new is not None else torch.full((batch, length), fill, dtype=known.dtype, device=known.device),
        ]
        return torch.cat(parts, dim=1)

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        coming = self._take()
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
        self.positions = None if self.positions is None else self.positions[:, :-rows]

    def reset(self) -> None:
        super().reset()
        self._forget()
        self.tail = 0

    def reorder_cache(self, beam_idx: Any) -> None:
        super().reorder_cache(beam_idx)
        self._map_state(lambda state: state.index_select(0, beam_idx.to(state.device)))

    def batch_repeat_interleave(self, repeats: int) -> None:
        super().batch_repeat_interleave(repeats)
        self._map_state(lambda state: state.repeat_interleave(repeats, dim=0))

    def batch_select_indices(self, indices: Tensor) -> None:
        super().batch_select_indices(indices)
        self._map_state(lambda state: state[indices, ...])


_PLAIN = (DynamicLayer, StaticLayer)
_FORGETTING = (DynamicSlidingWindowLayer, StaticSlidingWindowLayer)


def prepare_cache(cache: Any, first: int, layers: int, *, slides: bool = False) -> None:
    """Make the layers of `cache` from `first` on able to hold reduced sequences. A cache that is in use is left as it
    is.

    slides: the model has sliding layers. Those that would forget what has left their window become such as keep all:
    windows are counted in positions here, and scores look into layers in front of a reduction.

    Raises:
        SpecError: E0433 where the cache is of a kind that cannot, E0446 where it was filled without an operator.
    """
    if cache is None:
        return
    refuse_cache(cache, slides=slides)
    room = _room(cache)
    for index in range(layers):
        if index == len(cache.layers):
            cache.layers.append(DynamicLayer())
        layer = cache.layers[index]
        forgets = isinstance(layer, _FORGETTING)
        if isinstance(layer, RowState) or (index < first and not forgets):
            continue
        if layer.get_seq_length() > 0:
            refuse("E0446", "the cache was filled before the operator was attached", "start from an empty cache")
        static = isinstance(layer, StaticLayer)
        if index < first:
            cache.layers[index] = StaticLayer(room) if static else DynamicLayer()
            continue
        cache.layers[index] = ReducedStaticLayer(room) if static else ReducedLayer()


def prepare_static(cache: Any, first: int, layers: int) -> None:
    """Where a static cache has sliding layers: prepare it before the model makes masks of its own for as many slots as
    layers have.
    """
    if isinstance(cache, StaticCache):
        prepare_cache(cache, first, layers, slides=True)


def _room(cache: Any) -> int:
    """Rows that a static cache was made for, 0 for others; layers that slide have no more than their window."""
    if not isinstance(cache, StaticCache):
        return 0
    rooms = [layer.max_cache_len for layer in cache.layers if type(layer) is StaticLayer]
    return max(rooms or [layer.max_cache_len for layer in cache.layers if isinstance(layer, StaticLayer)])


def refuse_windows_only(cache: Any, window: int | None) -> None:
    """Raise SpecError (E0433) for a static cache of nothing but whole windows: it does not say how many rows it was
    made for, and rows in front of a window must stay, for windows are counted in positions here.
    """
    if window is None or not isinstance(cache, StaticCache):
        return
    full = (isinstance(layer, StaticSlidingWindowLayer) and layer.max_cache_len >= window for layer in cache.layers)
    if all(full):
        refuse(
            "E0433",
            "a static cache of a model whose layers all slide has room for one window, and rows before it must stay",
            "use a dynamic cache, the default",
        )


def refuse_cache(cache: Any, *, slides: bool = False) -> None:
    """Raise SpecError (E0433) unless `cache` is a DynamicCache or StaticCache of plain layers that stay on their
    device; where the model slides, its own sliding layers are such.
    """
    if not isinstance(cache, DynamicCache | StaticCache):
        refuse(
            "E0433",
            f"{type(cache).__name__} is not supported while an operator is attached",
            "use a DynamicCache or a StaticCache",
        )
    if cache.offloading:
        refuse("E0433", "an offloaded cache is not supported while an operator is attached")
    plain = (*_PLAIN, *_FORGETTING) if slides else _PLAIN
    odd = {
        type(layer).__name__ for layer in cache.layers if type(layer) not in plain and not isinstance(layer, RowState)
    }
    if odd:
        refuse(
            "E0433", f"cache layers of kind {', '.join(sorted(odd))} are not supported while an operator is attached"
        )
