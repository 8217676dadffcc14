"""What a cache layer behind a reduction knows of its rows, whatever it keeps them in.

State of a sequence lives in its cache and nowhere else, so beams that reorder the cache and batches that select from it
carry it along. `get_seq_length` of such a layer is the logical length, that of the unreduced sequence: `generate`
slices prompts and counts positions by it; `get_mask_sizes` gives the physical length, with the difference as the offset
of the keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from eosdsl.lowering.refusals import refuse


@dataclass(frozen=True)
class Coming:
    """The rows that the next update brings. keep and bias cover all keys, as `over_keys` gives them; `removed` more
    are gone.

    tail: rows behind the last visual token, None where no image comes; gap [B, 1]: how far positions of this layer fall
    short of those that forwards come with, None: as before; positions [B, T] int64 of all keys, where windows are
    counted in them.
    """

    keep: Tensor | None
    bias: Tensor | None
    removed: int = 0
    tail: int | None = None
    gap: Tensor | None = None
    positions: Tensor | None = None


class RowState:
    """keep [B, T] bool and bias [B, T] float32 over the T keys that attention sees, None where all count alike; gap
    [B, 1] int64, how far positions fall short of the logical ones, None: not; positions [B, T] int64, where windows are
    counted in them; `removed` rows are gone.
    """

    keep: Tensor | None = None
    bias: Tensor | None = None
    gap: Tensor | None = None
    positions: Tensor | None = None
    removed: int = 0
    _coming: Coming | None = None

    def expect(self, coming: Coming) -> None:
        """Announce what the next update brings."""
        self._coming = coming

    def make_room(self, removed: int) -> None:
        """Told before masks are made: so many rows are gone of those that come."""

    def over_keys(self, held: Tensor | None, new: Tensor | None, like: tuple[int, int], fill: Any) -> Tensor | None:
        """State over all T keys once the (B, L) = `like` rows with the state `new` have come; None where nothing is
        to be told apart. `fill` is what rows hold of which nothing is known: True for keep, 0.0 for bias.
        """
        raise NotImplementedError

    def _take(self) -> Coming:
        """What was announced, now that it comes. Raises SpecError (E0446) where nothing was."""
        coming, self._coming = self._coming, None
        if coming is None:
            refuse(
                "E0446",
                "the cache was filled by a reduced model and is used without its operator",
                "start from an empty cache, or attach the operator that filled it",
            )
        self.keep, self.bias, self.positions = coming.keep, coming.bias, coming.positions
        self.gap = self.gap if coming.gap is None else coming.gap
        self.removed += coming.removed
        return coming

    def _forget(self) -> None:
        self.keep = self.bias = self.gap = self.positions = self._coming = None
        self.removed = 0

    def _map_state(self, change: Callable[[Tensor], Tensor]) -> None:
        """Do to the state what is done to the sequences of the cache."""
        self.keep = None if self.keep is None else change(self.keep)
        self.bias = None if self.bias is None else change(self.bias)
        self.gap = None if self.gap is None else change(self.gap)
        self.positions = None if self.positions is None else change(self.positions)
