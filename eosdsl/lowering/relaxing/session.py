"""One forward of a relaxed model on its way: what tower and decoder have to know of each other."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from eosdsl.lowering.relaxing.decisions import Decisions, Values
from eosdsl.lowering.relaxing.flow import Flow
from eosdsl.lowering.relaxing.stream import Ledger
from eosdsl.lowering.relaxing.temperatures import Temperatures


@dataclass
class TowerLeft:
    """What the tower left of its images: log_presence and sizes [G, N] of the features, a row each; its ledger."""

    log_presence: Tensor
    sizes: Tensor
    ledger: Ledger
    patches: int


@dataclass
class Session:
    """State of the forward under way (features: of the tower, on their way to the projector), and the flow of the last
    one.
    """

    decisions: Decisions
    temperatures: Temperatures
    values: Values | None = None
    tower: TowerLeft | None = None
    features: Tensor | None = None
    flow: Flow | None = None

    def begin(self) -> Values:
        """A new forward: open decisions are read anew."""
        self.values, self.tower, self.flow = Values(self.decisions, self.temperatures), None, None
        return self.values
