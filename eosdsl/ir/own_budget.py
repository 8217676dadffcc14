"""The budget that a pick brings along, so that none has to be written."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.ir.nodes import Amount, Budget
from eosdsl.ir.quantities import Call, Dims, Quantity
from eosdsl.source import Span


def own_budget(pick: Call, span: Span | None = None) -> Budget | None:
    """That of `grid(2x2)`: one token of every cell. None for every other pick."""
    cell = pick.arguments[0].value if pick.name == "grid" and pick.arguments else None
    if not isinstance(cell, Dims) or not cell.rows * cell.columns:
        return None
    share = Quantity(value=Fraction(1, cell.rows * cell.columns), unit="ratio", span=span)
    return Budget(verb="retain", amounts=(Amount(value=share, span=span),), span=span)
