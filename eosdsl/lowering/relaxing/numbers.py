"""Numbers that depend on open decisions: read from the values of a forward."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from torch import Tensor

from eosdsl.ir.quantities import Open, Quantity
from eosdsl.ir.space import Space
from eosdsl.lowering.relaxing.decisions import Values

Number = Callable[[Values], Tensor | float]
"""A scalar: a float where it is decided."""

Paths = Mapping[int, str]
"""The path of every hole, by the id of its node."""

Chosen = tuple[tuple[str, int], ...]
"""Decision points, each with the place of the choice that is meant."""


def constant(value: float) -> Number:
    return lambda _: value


def number_of(value: Quantity | Open, space: Space, paths: Paths) -> Number:
    """A decided number, an open one, or the mean of the choices by their probabilities."""
    if isinstance(value, Quantity):
        return constant(float(value.value))
    name = paths[id(value)]
    point = space.point(name)
    if point.kind != "choice":
        return lambda values: values.number(name)
    choices = [float(choice.value) for choice in point.choices if isinstance(choice, Quantity)]
    return lambda values: (values.probabilities(name) * values.probabilities(name).new_tensor(choices)).sum()


def probability(chosen: Chosen) -> Number:
    """That all of these are chosen; one where nothing is open."""
    if not chosen:
        return constant(1.0)

    def read(values: Values) -> Tensor:
        found = values.probabilities(chosen[0][0])[chosen[0][1]]
        for name, place in chosen[1:]:
            found = found * values.probabilities(name)[place]
        return found

    return read


def product(numbers: Sequence[Number]) -> Number:
    """All of them multiplied."""

    def read(values: Values) -> Tensor | float:
        found: Tensor | float = 1.0
        for number in numbers:
            found = found * number(values)
        return found

    return numbers[0] if len(numbers) == 1 else read


def total(numbers: Sequence[Number]) -> Number:
    """All of them added."""

    def read(values: Values) -> Tensor | float:
        found: Tensor | float = 0.0
        for number in numbers:
            found = found + number(values)
        return found

    return numbers[0] if len(numbers) == 1 else read
