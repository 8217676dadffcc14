"""The curves along which a budget goes over a range, exactly: how many tokens are kept at step i of n.

A point of a curve is rounded up once. `geometric` and `linear` are computed in integers; `cosine` and `logistic` in
decimals of 60 digits, and exactly where their value is rational (elsewhere it is irrational, so 60 digits decide it).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Context, Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

_DIGITS = 60
CURVES = ("geometric", "linear", "cosine", "logistic")
STEEPNESS = Fraction(10)


def point(start: Fraction, end: Fraction, index: int, steps: int, curve: str, steepness: Fraction = STEEPNESS) -> int:
    """Tokens at step `index` (1-based) of `steps`, on the way from `start` to `end`, both >= 0, rounded up.

    Step 0 would be `start`, step `steps` is `end`.
    """
    if start == end or index == steps:
        return ceiling(end)
    if curve == "geometric":
        return _geometric(start, end, index, steps)
    return _along(start, end, _SHARES[curve](Fraction(index, steps), steepness))


def ceiling(value: Fraction) -> int:
    """The smallest integer that is not below `value`."""
    return -(-value.numerator // value.denominator)


def _geometric(start: Fraction, end: Fraction, index: int, steps: int) -> int:
    """The smallest K >= 0 with K^n >= start^(n-i) * end^i, which is K >= start * (end / start)^(i / n)."""
    power = start ** (steps - index) * end**index
    low, high = -1, ceiling(max(start, end))
    while high - low > 1:
        middle = (low + high) // 2
        if middle**steps * power.denominator >= power.numerator:
            high = middle
        else:
            low = middle
    return high


def _along(start: Fraction, end: Fraction, share: Fraction | Decimal) -> int:
    """start + (end - start) * share, rounded up."""
    if isinstance(share, Fraction):
        return ceiling(start + (end - start) * share)
    with localcontext(Context(prec=_DIGITS)):
        value = _decimal(start) + _decimal(end - start) * share
        return int(value.to_integral_value(rounding=ROUND_CEILING))


def _linear(progress: Fraction, steepness: Fraction) -> Fraction:
    del steepness
    return progress


def _cosine(progress: Fraction, steepness: Fraction) -> Fraction | Decimal:
    """(1 - cos(pi t)) / 2. By Niven's theorem it is rational at 1/3, 1/2 and 2/3 only (between 0 and 1)."""
    del steepness
    rational = {Fraction(1, 3): Fraction(1, 4), Fraction(1, 2): Fraction(1, 2), Fraction(2, 3): Fraction(3, 4)}
    if progress in rational:
        return rational[progress]
    with localcontext(Context(prec=_DIGITS)):
        return (1 - _cos(_pi() * _decimal(progress))) / 2


def _logistic(progress: Fraction, steepness: Fraction) -> Fraction | Decimal:
    """The logistic function of steepness * (t - 1/2), shifted and scaled to run from 0 to 1."""
    if progress == Fraction(1, 2):
        return progress
    with localcontext(Context(prec=_DIGITS)):
        rate = _decimal(steepness)
        lowest, value = (1 / (1 + (-rate * (t - Decimal("0.5"))).exp()) for t in (Decimal(0), _decimal(progress)))
        return (value - lowest) / (1 - 2 * lowest)


_SHARES: dict[str, Callable[[Fraction, Fraction], Fraction | Decimal]] = {
    "linear": _linear,
    "cosine": _cosine,
    "logistic": _logistic,
}


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


@lru_cache(maxsize=1)
def _pi() -> Decimal:
    """Machin's formula: pi / 4 = 4 atan(1/5) - atan(1/239)."""
    with localcontext(Context(prec=_DIGITS + 5)):
        return 4 * (4 * _atan_inverse(5) - _atan_inverse(239))


def _atan_inverse(whole: int) -> Decimal:
    """atan(1 / whole) by its series."""
    power = total = 1 / Decimal(whole)
    divisor = 1
    while abs(power) > Decimal(10) ** -(_DIGITS + 5):
        power = -power / whole**2
        divisor += 2
        total += power / divisor
    return total


def _cos(angle: Decimal) -> Decimal:
    """The cosine of an angle between 0 and pi by its series."""
    with localcontext(Context(prec=_DIGITS + 5)):
        term = total = Decimal(1)
        order = 0
        while abs(term) > Decimal(10) ** -(_DIGITS + 5):
            order += 2
            term = -term * angle * angle / (order * (order - 1))
            total += term
        return total
