"""From holes to decision points: what kind of value is open, within which bounds, where a search starts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from fractions import Fraction
from math import exp, floor, log, log10
from typing import Literal

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.ir.genome import Gene
from eosdsl.ir.holes import Hole
from eosdsl.ir.quantities import Quantity, Unit, Value, Word
from eosdsl.ir.spell import spell_value
from eosdsl.source import Span

Kind = Literal["gate", "fraction", "count", "choice", "weight", "real"]

CODES = {
    "E0512": """An open value needs bounds or choices.

    A search and a sample have to know what is possible. Budgets, shares, weights, temperatures and the strength of the
    attention bias have bounds of their own; of other values they are written.

    ```eos
    space s
    at layer 2: retain 25% pick ?                     # wrong: `pick ? {top, diverse}`
    ```

    ```eos
    space s
    at layer 2: retain 25% pick density_peaks(k: ?)   # wrong: `k: ? 3..7` or `k: ? {3, 5}`
    ```
    """,
}

FRACTIONS = (Fraction(1, 100), Fraction(1))
STRENGTHS = (Fraction(0), Fraction(3, 2))
TEMPERATURES = (Fraction(1, 100), Fraction(10))
_LEAST = Fraction(1, 1000)  # of a fraction that is to be retained: none at all is no budget
_WIDE = 10  # bounds that are so many times apart are searched by their logarithm


@dataclass(frozen=True)
class DecisionPoint:
    """One open value of a space. `id` is its path in the spec; `low` and `high` are in `unit`.

    family: of weights the path of the sum or mix that shares one whole among them, of gates their statement; layer: the
    candidate of an `any … of` statement that it belongs to; scale: how the range is sampled and searched.
    """

    id: str
    kind: Kind
    low: Fraction | None = None
    high: Fraction | None = None
    choices: tuple[Value, ...] = ()
    prior: Gene = 0.0
    unit: Unit = "number"
    scale: Literal["linear", "log"] = "linear"
    family: str | None = None
    layer: int | None = None
    span: Span | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The choices as they are written: what a genome holds."""
        return tuple(spell_value(choice) for choice in self.choices)

    @property
    def bounds(self) -> tuple[float, float]:
        """Low and high as floats, of what has bounds."""
        assert self.low is not None and self.high is not None
        return float(self.low), float(self.high)

    def at(self, place: float) -> float:
        """The value at a place from 0 to 1 between the bounds, on the point's scale."""
        low, high = self.bounds
        if self.scale == "log":
            return exp(log(low) + place * (log(high) - log(low)))
        return low + place * (high - low)

    def place(self, value: float) -> float:
        """The inverse of `at`, cut to 0 and 1."""
        low, high = self.bounds
        value = min(max(value, low), high)
        if self.scale == "log":
            return (log(value) - log(low)) / (log(high) - log(low))
        return (value - low) / (high - low)

    def rounded(self, value: Gene) -> Gene:
        """The value as it is written: few digits, within the bounds. Weights are rounded together, by their space."""
        if self.kind in ("gate", "choice", "weight"):
            return value
        if self.kind == "count":
            assert self.low is not None and self.high is not None
            return int(min(max(round(float(value)), self.low), self.high))
        return float(self._cut(Fraction(str(round(float(value), self._digits(float(value)))))))

    def exact(self, value: Gene) -> Value:
        """The value as the program means it."""
        if self.kind == "choice":
            names = self.names
            return self.choices[names.index(str(value))]
        number = Fraction(int(value)) if self.kind == "count" else Fraction(Decimal(repr(float(value))))
        return Quantity(value=number, unit=self.unit, span=None)

    def _digits(self, value: float) -> int:
        """Decimals that tell values apart well enough: a hundredth of a percent, two digits of a temperature."""
        if self.kind == "fraction":
            return 4
        low, high = self.bounds
        size = value if self.scale == "log" else high - low
        return max(1 - floor(log10(size)), 0) + (self.scale == "linear") if size > 0 else 2

    def _cut(self, value: Fraction) -> Fraction:
        low = value if self.low is None else max(value, self.low)
        return low if self.high is None else min(low, self.high)


def point_of(hole: Hole, layer: int | None) -> DecisionPoint | Diagnostic:
    """The decision point of a hole, or why there can be none (E0512)."""
    point = DecisionPoint(hole.path, "choice", family=hole.family, layer=layer, span=hole.open.span)
    choices = hole.open.choices or _words(hole)
    if choices:
        return _choice(replace(point, choices=choices, family=None), hole)
    kind = _kind(hole)
    if kind is None:
        return _needs(hole)
    if kind == "weight":
        return _weight(point, hole)
    bounds = _bounds(hole, kind)
    if bounds is None:
        return _needs(hole)
    low, high, unit = bounds
    scale = "log" if low > 0 and high / low >= _WIDE else "linear"
    ranged = replace(point, kind=kind, low=low, high=high, unit=unit, scale=scale, family=None)
    prior = float(hole.open.prior.value) if isinstance(hole.open.prior, Quantity) else ranged.at(0.5)
    return replace(ranged, prior=ranged.rounded(prior))


def _choice(point: DecisionPoint, hole: Hole) -> DecisionPoint:
    prior = hole.open.prior if hole.open.prior in point.choices else point.choices[0]
    assert prior is not None
    return replace(point, prior=spell_value(prior))


def _weight(point: DecisionPoint, hole: Hole) -> DecisionPoint:
    """A part of a whole; a weight with bounds is a number of its own, a share with bounds keeps to them."""
    low, high = (None if bound is None else bound.value for bound in (hole.open.low, hole.open.high))
    prior = float(hole.open.prior.value) if isinstance(hole.open.prior, Quantity) else 1.0
    return replace(point, kind="weight", low=low or Fraction(0), high=high or Fraction(1), prior=prior)


def _kind(hole: Hole) -> Kind | None:
    low = hole.open.low or (hole.open.prior if isinstance(hole.open.prior, Quantity) else None)
    if hole.role == "amount":
        return "count" if low is not None and low.unit == "tokens" else "fraction"
    if hole.role == "weight":
        return "weight" if hole.open.low is None else "real"
    if hole.role == "share":
        return "weight"
    if hole.role == "strength":
        return "real"
    if hole.accepts is None or hole.accepts.number is None:
        return None
    return "count" if hole.accepts.number == "int" else "real"


def _bounds(hole: Hole, kind: Kind) -> tuple[Fraction, Fraction, Unit] | None:
    low, high = hole.open.low, hole.open.high
    if low is not None and high is not None:
        least = low.value
        if hole.role == "amount" and not hole.removes:
            least = max(least, Fraction(1) if kind == "count" else _LEAST)
        return least, high.value, low.unit
    if kind == "fraction":
        return (*FRACTIONS, "ratio")
    if hole.role == "strength":
        return (*STRENGTHS, "number")
    if hole.parameter == "temperature":
        return (*TEMPERATURES, "number")
    return None


def _words(hole: Hole) -> tuple[Value, ...]:
    """What a parameter that takes words and nothing else leaves open."""
    accepts = hole.accepts
    if accepts is None or hole.open.low is not None or accepts.number or accepts.nested or accepts.name:
        return ()
    return tuple(Word(name=word) for word in (*accepts.words, *(("yes", "no") if accepts.switch else ())))


def _needs(hole: Hole) -> Diagnostic:
    what = {"pick": "picks", "behaviour": "behaviours"}.get(hole.role)
    if what is not None:
        helps = ("name them: `? {top, diverse}`",) if what == "picks" else ("name them: `? {merge, prune}`",)
        return error("E0512", f"among which {what} is to be chosen?", hole.open.span, "left open", helps=helps)
    name = hole.parameter or "this amount"
    helps = ("write `? lo..hi` or `? {a, b}`",)
    return error("E0512", f"between which bounds is `{name}` open?", hole.open.span, "left open", helps=helps)


def choice_of(point: DecisionPoint, value: Gene) -> int | None:
    """The place of a choice by its text, None where it is none of them."""
    names = point.names
    return names.index(str(value)) if str(value) in names else None
