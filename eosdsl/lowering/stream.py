"""What runs between layers besides the hidden state, in the language model and in the vision tower."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

from torch import Tensor

from eosdsl.lowering.devices import on
from eosdsl.lowering.images import Decided, Images, Queries
from eosdsl.lowering.late import Late


@dataclass(frozen=True)
class Stream:
    """B sequences of L rows, T keys that they may attend to (T = L where no cache holds earlier ones).

    hidden [B, L, D]. What the layers are called with: attention_mask in the format of the attention implementation,
    position_embeddings (cos, sin) each [1 or B, L, head width], position_ids. positions [1 or B, L], or of three axes
    [1 or B, L, 3], int64: those that position_embeddings were made of. valid [B, L] bool: rows that are not padding,
    None where all are.
    keys_valid [B, T] bool and keys_bias [B, T] float32 (added to the logits of a key):
    None where all count alike. images and queries are None in a forward that brings no image; lengths: rows that are
    not padding, per sequence. strength: of the bias by log size in force. removed: rows fewer than entered layer 0.
    tail: rows behind the last visual token, in every sequence. earlier: rows of the unreduced sequence that a static
    cache held before this forward (0 with others, which say it themselves). arrival: what the tower left of the images,
    until the language model has taken it in. given, like positions: those that the forward came with, of the rows
    that entered layer 0; start [1 or B, 1]: that of the first row that is not padding.
    blocks [B, L] int64: rows of the same block see each other in both directions, -1: in none; None where no row is.
    keys_positions [B, T] int64: of all keys, where layers slide over a window of positions and rows are gone.

    In the tower every image is a sequence of its own; rows attend to all others, there are no position embeddings,
    and positions are places in the unreduced image (its first row, a CLS if there is one, counted).
    """

    hidden: Tensor
    attention_mask: object
    position_embeddings: Any
    position_ids: Tensor | None
    positions: Tensor
    valid: Tensor | None = None
    keys_valid: Tensor | None = None
    keys_bias: Tensor | None = None
    images: Images | None = None
    queries: Queries | None = None
    lengths: tuple[int, ...] = ()
    strength: float = 0.0
    removed: int = 0
    tail: int = 0
    earlier: int = 0
    arrival: Arrival | None = None
    given: Tensor | None = None
    start: Tensor | None = None
    blocks: Tensor | None = None
    keys_positions: Tensor | None = None
    tower: bool = False

    def beside(self, hidden: Tensor) -> Self:
        """The stream with these rows, and all that travels with them on their device."""
        with_rows = replace(self, hidden=hidden)
        return with_rows if self.positions.device == hidden.device else on(with_rows, hidden.device)

    @property
    def late(self) -> Late | None:
        """Visual features that are still to be added, and to which rows."""
        if self.images is None or not self.images.later:
            return None
        return Late(self.images.batch[:, None], self.images.rows, self.images.valid, self.images.later)


@dataclass(frozen=True)
class Arrival:
    """What the vision tower left of G images: K rows each, at the placeholders of the tokens that they are.

    places [G, K] int64: the placeholder whose position a row takes; index [G, K] int64: its place in the unreduced
    image; sizes [G, K] float32; valid [G, K] bool, None where all count. Known to the host: counts, rows per image;
    decided, what adaptive reductions of the tower kept; in_tower, as in `Images`.
    """

    places: Tensor
    index: Tensor
    sizes: Tensor
    valid: Tensor | None
    counts: tuple[int, ...]
    decided: tuple[Decided, ...]
    in_tower: tuple[int, ...] = ()
