"""What runs between layers besides the hidden state while a program is relaxed."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor

from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.stream import Stream


@dataclass
class Ledger:
    """Soft counts as the forward goes along: (boundary, whether between a layer's halves, tokens [G])."""

    entries: list[tuple[int, bool, Tensor]] = field(default_factory=list[tuple[int, bool, Tensor]])


@dataclass(frozen=True)
class SoftStream(Stream):
    """A stream whose rows all stay. `images` never changes: which rows count is said by

    log_presence [G, N] (0: all there, about -69: gone) and sizes [G, N], both float32. bias_strength: of the bias by
    log size in force, a scalar. base_mask: what layers are called with where all is present. entered: incoming tokens
    [G] at the start of ranges, by statement. values: of the open decisions; ledger: what flows.
    """

    log_presence: Tensor | None = None
    sizes: Tensor | None = None
    bias_strength: Tensor | float = 0.0
    base_mask: object = None
    unreduced: tuple[int, ...] = ()
    entered: dict[int, Tensor] = field(default_factory=dict[int, Tensor])
    values: Values | None = None
    ledger: Ledger = field(default_factory=Ledger)
