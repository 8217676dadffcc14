"""The rest is removed."""

from __future__ import annotations

from typing import ClassVar

from eosdsl.operators.base import Behaviour, CostContext


class Prune(Behaviour):
    """Tokens that are not anchors are removed; anchors stay as they are, bit for bit. α = 0."""

    name: ClassVar[str] = "prune"

    def macs(self, context: CostContext) -> int:
        return 0
