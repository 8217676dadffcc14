"""What differs between the layers of a decoder, and between models: who attends to whom.

Layers of different kinds (sliding and full) are called with masks of their own, some models' with rotary embeddings of
their own too. A window is counted in positions: rows that stay keep their distance when rows between them go, so that a
row sees of what is left just what it saw before. Rows of one block see each other in both directions, those of an image
or of a prefix; a block stays one when some of its rows go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from inspect import signature
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from eosdsl.lowering.places import rotation
from eosdsl.lowering.stream import Stream

SLIDING = "sliding_attention"
FULL = "full_attention"


@dataclass(frozen=True)
class Attending:
    """How the layers of a decoder attend.

    kinds: of every layer; window: positions that a sliding layer sees, its own included; window_first: a window cuts
    blocks too; blocks: how `token_type_ids` say which rows are one block, as in `Profile.blocks`; rotates_by_kind:
    rotary embeddings differ between kinds.
    """

    kinds: tuple[str, ...] = ()
    window: int | None = None
    window_first: bool = False
    blocks: Literal["images", "prefix"] | None = None
    rotates_by_kind: bool = False

    @property
    def by_kind(self) -> bool:
        """Whether layers are called with masks of their kind."""
        return len(set(self.kinds)) > 1

    @property
    def plain(self) -> bool:
        """Whether every row of every layer attends to all rows before it, and to no others."""
        return self.window is None and self.blocks is None

    def kind(self, layer: int) -> str:
        return self.kinds[layer] if self.kinds else FULL

    def window_of(self, layer: int) -> int | None:
        return self.window if self.kind(layer) == SLIDING else None

    def seen_by(self, layer: int, stream: Stream) -> Stream:
        """The stream as a layer is called with it: rotary embeddings of its kind."""
        if not isinstance(stream.position_embeddings, Mapping):
            return stream
        return replace(stream, position_embeddings=stream.position_embeddings[self.kind(layer)])

    def rotations(self, rotary: nn.Module, hidden: Tensor, positions: Tensor) -> Any:
        """Rotary embeddings (cos, sin) of rows at these positions; by kind where they differ."""
        if not self.rotates_by_kind:
            return rotation(rotary, hidden, positions)
        rope: Any = rotary
        return {kind: rope(hidden, positions, kind) for kind in dict.fromkeys(self.kinds)}


CAUSAL = Attending()
"""Every row of every layer attends to all rows before it."""


def attending_of(text: Any, rotary: Any, blocks: Literal["images", "prefix"] | None, window_first: bool) -> Attending:
    """How the layers of a language model attend, by its config. blocks, window_first: as its family's profile says."""
    config, layers = text.config, len(text.layers)
    window = getattr(config, "sliding_window", None)
    named = getattr(config, "layer_types", None)
    kinds = tuple(named[:layers]) if named else (SLIDING if window is not None else FULL,) * layers
    return Attending(
        kinds=kinds,
        window=window if SLIDING in kinds else None,
        window_first=window_first,
        blocks=blocks,
        rotates_by_kind="layer_type" in signature(rotary.forward).parameters,
    )


def blocks_of(attending: Attending, token_type_ids: Tensor | None) -> Tensor | None:
    """The block that every row is in, [B, L] int64, -1: none. Rows of the prefix are of type 0, those of images of
    type 1; an image is a run of them.
    """
    if token_type_ids is None or attending.blocks is None:
        return None
    if attending.blocks == "prefix":
        return torch.where(token_type_ids == 0, 0, -1)
    seen = token_type_ids == 1
    begins = seen & ~F.pad(seen, (1, 0))[:, :-1]
    return torch.where(seen, begins.long().cumsum(dim=1) - 1, -1)


@dataclass(frozen=True)
class Overlay:
    """What a mask has besides causality, over keys numbered as transformers numbers them (rows that are gone counted).

    blocks [B, T] int64, -1 where a key is in none; positions [B, T] int64 with a window over them.
    """

    blocks: Tensor | None = None
    positions: Tensor | None = None
    window: int | None = None
    window_first: bool = False

    @property
    def empty(self) -> bool:
        return self.blocks is None and self.window is None

    def arguments(self) -> dict[str, Any]:
        """How transformers' `create_causal_mask` is told so."""
        told: dict[str, Any] = {}
        if self.positions is not None and self.window is not None:
            told["and_mask_function"] = _within(self.positions, self.window)
        if self.blocks is None:
            return told
        if told and self.window_first:
            return {**told, "or_mask_function": _together(self.blocks)}
        return {**told, "block_sequence_ids": self.blocks}

    def laid_over(self, mask: Tensor) -> Tensor:
        """A causal mask [B, 1, Q, K], bool or additive, of rows that are all of the keys, with all that: in operations
        that can be written down. What `arguments` asks for transformers makes by `vmap`, which torch.export cannot.
        """
        least = None if mask.dtype == torch.bool else torch.finfo(mask.dtype).min
        seen = mask if least is None else mask >= 0
        table = self.blocks if self.positions is None else self.positions
        assert table is not None
        own = torch.arange(table.shape[0], device=mask.device)[:, None, None, None], None
        query, key = (torch.arange(size, device=mask.device) for size in seen.shape[-2:])
        query, key = query[None, None, :, None], key[None, None, None, :]
        if self.positions is not None and self.window is not None and not self.window_first:
            seen = seen & _within(self.positions, self.window)(*own, query, key)
        if self.blocks is not None:
            seen = seen | _together(self.blocks)(*own, query, key)
        if self.positions is not None and self.window is not None and self.window_first:
            seen = seen & _within(self.positions, self.window)(*own, query, key)
        return seen if least is None else torch.where(seen, mask.new_zeros(()), least)


@dataclass(frozen=True)
class Numbered:
    """Keys as transformers numbers them: `gone` come first that are not there, `before` are in front of the rows at
    hand (those gone counted), and `end` is behind the last, or behind the last slot of a static cache.
    """

    gone: int
    before: int
    end: int


def overlay(attending: Attending, layer: int, stream: Stream, keys: Numbered, span: int) -> Overlay:
    """What the mask of a layer has besides causality, for the rows of a stream; `span`: rows from the first to the
    last. A window as wide as that cuts nothing.
    """
    window = attending.window_of(layer)
    blocks = None
    if stream.blocks is not None:
        after = keys.end - keys.before - stream.blocks.shape[1]
        blocks = F.pad(stream.blocks.expand(stream.hidden.shape[0], -1), (keys.before, after), value=-1)
    if window is None or stream.keys_positions is None:
        return Overlay(blocks)
    if not torch.compiler.is_exporting() and span <= window:  # exported lengths are free
        return Overlay(blocks)
    return Overlay(blocks, F.pad(stream.keys_positions, (keys.gone, 0)), window, attending.window_first)


def _within(positions: Tensor, window: int) -> Callable[..., Any]:
    def seen(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return positions[batch, key] > positions[batch, query] - window

    return seen


def _together(blocks: Tensor) -> Callable[..., Any]:
    def seen(batch: Any, head: Any, query: Any, key: Any) -> Any:
        return (blocks[batch, query] == blocks[batch, key]) & (blocks[batch, query] >= 0)

    return seen
