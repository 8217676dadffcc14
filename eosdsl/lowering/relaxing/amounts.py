"""How many tokens stay, softly: budgets as numbers with a gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, exp, pi

import torch
from torch import Tensor

from eosdsl.ir.nodes import Amount
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.ir.schedule import SiteAmount
from eosdsl.ir.space import Space
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.decisions import Values
from eosdsl.lowering.relaxing.numbers import Paths
from eosdsl.passes.infer_tokens import curve_parameters

_ROUNDING = 1e-6  # of a token: what a budget may be above a whole number by inexact arithmetic


@dataclass(frozen=True)
class Asked:
    """One amount, or several to choose among, or one between bounds; `everything`: all that is left."""

    verb: str
    of: str
    options: tuple[tuple[float, bool], ...]  # (value, whether it is a ratio)
    point: str | None = None
    everything: bool = False

    def target(self, values: Values, unreduced: Tensor, incoming: Tensor, left: Tensor) -> Tensor:
        """Tokens to keep of `left` [G], float64, as `passes.infer_tokens.target` has it."""
        asked = left if self.everything else self._number(values, incoming if self.of == "incoming" else unreduced)
        return asked if self.verb == "retain" else (left - asked).clamp(min=0)

    def _number(self, values: Values, base: Tensor) -> Tensor:
        if self.point is None:
            return _of(*self.options[0], base)
        if not self.options:
            number = values.number(self.point)
            ratio = values.decisions.space.point(self.point).unit == "ratio"
            return number * base if ratio else number + torch.zeros_like(base)
        weights = values.probabilities(self.point)
        every = torch.stack([_of(value, ratio, base) for value, ratio in self.options])
        return (weights[:, None] * every).sum(dim=0)


@dataclass(frozen=True)
class SoftAmount:
    """The amount of a group at one site; of a range, point `index` of `steps` from `start` on along `curve`."""

    end: Asked
    start: Asked | None = None
    index: int = 1
    steps: int = 1
    curve: str = "geometric"
    steepness: float = 10.0


def soft_amount(amount: SiteAmount, space: Space, paths: Paths) -> SoftAmount:
    """The amount of a site. Raises SpecError (E0520) where it adapts to the image."""
    end = _asked(amount.amount, amount.verb, space, paths)
    if amount.steps == 1:
        return SoftAmount(end)
    start = None if amount.start is None else _asked(amount.start, amount.verb, space, paths)
    curve, steepness = curve_parameters(amount.curve)
    return SoftAmount(end, start, amount.index, amount.steps, curve, float(steepness))


def soft_counts(
    amounts: Sequence[SoftAmount], values: Values, unreduced: Tensor, incoming: Tensor, entry: Tensor
) -> list[Tensor]:
    """Tokens [G] that each group of a site is to keep, float64; groups may ask for more than is left.

    unreduced, incoming [G] at the site; entry [G]: incoming at the first site of the statement, where ranges start.
    """
    ends = _ends(amounts, values, unreduced, entry) if amounts[0].steps > 1 else []
    counts: list[Tensor] = []
    left = incoming
    for place, amount in enumerate(amounts):
        if amount.steps > 1:
            asked = _along(amount, *ends[place])
        else:
            asked = amount.end.target(values, unreduced, incoming, left)
        asked = rounded_up(asked, values)
        counts.append(asked)
        left = left - torch.minimum(asked, left)
    return counts


def rounded_up(count: Tensor, values: Values) -> Tensor:
    """Whole counts where the temperatures say so; the gradient is that of the count."""
    if not values.temperatures.round_counts:
        return count
    return count + ((count - _ROUNDING).ceil() - count).detach()


def _ends(
    amounts: Sequence[SoftAmount], values: Values, unreduced: Tensor, whole: Tensor
) -> list[tuple[Tensor, Tensor]]:
    """Where every group's range starts and ends, as `passes.infer_tokens` has it."""
    ends: list[Tensor] = []
    left = whole
    for amount in amounts:
        ends.append(torch.minimum(amount.end.target(values, unreduced, whole, left), left))
        left = left - ends[-1]
    together = torch.stack(ends).sum(dim=0).clamp(min=1e-9)
    starts = [
        whole * end / together
        if amount.start is None
        else torch.minimum(amount.start.target(values, unreduced, whole, whole), whole)
        for amount, end in zip(amounts, ends, strict=True)
    ]
    return list(zip(starts, ends, strict=True))


def _along(amount: SoftAmount, start: Tensor, end: Tensor) -> Tensor:
    progress = amount.index / amount.steps
    if amount.index == amount.steps:
        return end
    if amount.curve == "geometric":
        return start.clamp(min=1e-9) ** (1 - progress) * end.clamp(min=1e-9) ** progress
    return start + (end - start) * _share(amount.curve, progress, amount.steepness)


def _share(curve: str, progress: float, steepness: float) -> float:
    if curve == "linear":
        return progress
    if curve == "cosine":
        return (1 - cos(pi * progress)) / 2
    lowest, value = (1 / (1 + exp(-steepness * (t - 0.5))) for t in (0.0, progress))
    return (value - lowest) / (1 - 2 * lowest)


def _asked(amount: Amount, verb: str, space: Space, paths: Paths) -> Asked:
    value = amount.value
    if isinstance(value, Call):
        what = f"`{value.name}` decides from image to image: it cannot be relaxed"
        refuse("E0520", what, "retain a share or a number of tokens", span=value.span or amount.span)
    if isinstance(value, Quantity):
        return Asked(verb, amount.of, (_option(value),))
    if not isinstance(value, Open):
        return Asked(verb, amount.of, (), everything=True)
    point = space.point(paths[id(value)])
    options = tuple(_option(choice) for choice in point.choices if isinstance(choice, Quantity))
    if len(options) < len(point.choices):
        refuse("E0520", "a budget that may adapt to the image cannot be relaxed", span=value.span or amount.span)
    return Asked(verb, amount.of, options, point.id)


def _option(value: Quantity) -> tuple[float, bool]:
    return float(value.value), value.unit == "ratio"


def _of(value: float, ratio: bool, base: Tensor) -> Tensor:
    return base * value if ratio else torch.full_like(base, value)
