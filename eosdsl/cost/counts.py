"""The numbers that costs are counted in: whole for a plan, exact for a constraint, tensors for a search.

A formula is written once and holds for all of them, so that what a search makes small is what a plan prints.
"""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

Count = TypeVar("Count", int, Fraction, float, "Tensor")


def total(values: Iterable[Count]) -> Count:
    """The sum of numbers of one kind."""
    added: Any = sum(values)
    return added
