"""How to search: what `search with …` of a space says, with what it leaves out filled in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, exp, pi
from typing import Any, Literal

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.nodes import Budget, RelaxedProgram
from eosdsl.ir.quantities import Call, Quantity, Value, Word

Precision = Literal["fp32", "bf16", "fp16"]
_PRECISIONS: dict[str, Precision] = {
    "fp32": "fp32",
    "float32": "fp32",
    "bf16": "bf16",
    "bfloat16": "bf16",
    "fp16": "fp16",
    "float16": "fp16",
}


_COOLING_FROM = 0.6


@dataclass(frozen=True)
class Temperature:
    """From `start` to `end` along a curve over the steps of a search."""

    start: float = 2.0
    end: float = 0.05
    curve: str = "cosine"

    def at(self, progress: float) -> float:
        """The temperature when this share of the steps is done."""
        if self.curve == "geometric":
            return self.start * (self.end / self.start) ** progress
        return self.start + (self.end - self.start) * _share(self.curve, progress)


@dataclass(frozen=True)
class Settings:
    """`batch` questions a step over all processes, in `accumulate` parts each; a checkpoint every so many steps.
    `pool`: how many questions are asked again and again, so that what the tower and the unreduced model make of them is
    computed once; 0: ever new ones. `refine`: neighbours of what was found that deriving tries.
    `faintness`: how many times over tokens fade that are half there (`eosdsl.lowering.relaxing.temperatures`).
    """

    steps: int = 600
    seed: int = 0
    batch: int = 8
    accumulate: int = 1
    checkpoint: int = 50
    pool: int = 0
    refine: int = 0
    faintness: float = 6.0
    optimiser: str = "adamw"
    rate: float = 0.03
    weight_decay: float = 0.0
    temperature: Temperature = Temperature()
    precision: Precision = "fp32"

    def rate_at(self, progress: float) -> float:
        """The learning rate when this share of the steps is done: whole at first, then falling to a twentieth, so that
        the pull of constraints and of the loss come to rest."""
        if progress <= _COOLING_FROM:
            return self.rate
        cooled = (progress - _COOLING_FROM) / (1 - _COOLING_FROM)
        return self.rate * (0.05 + 0.95 * (1 + cos(pi * cooled)) / 2)

    def changed(self, **changes: Any) -> Settings:
        """With what is not None."""
        return replace(self, **{name: value for name, value in changes.items() if value is not None})


def settings_of(space: RelaxedProgram) -> Settings:
    """The settings that a space states. Raises SpecError (E0674) for what no search can do."""
    told: dict[str, Any] = {}
    for name, value in space.search:
        match name, value:
            case "optimiser", Call() | Word():
                told |= _optimiser(value)
            case "temperature", Budget():
                told["temperature"] = _ramp(value)
            case "temperature", Quantity():
                told["temperature"] = Temperature(float(value.value), float(value.value), "linear")
            case "precision", Word() | Call():
                told["precision"] = _precision(value)
            case "faintness", Quantity():
                told["faintness"] = float(value.value)
            case _, Quantity():
                told[name] = int(value.value)
            case _:
                raise SpecError([error("E0674", f"`{name}` cannot be read as a setting of a search", space.span)])
    return Settings(**told)


def _optimiser(written: Call | Word) -> dict[str, Any]:
    told: dict[str, Any] = {"optimiser": written.name}
    if written.name == "muon":
        helps = ("write `optimiser: adamw(lr: 0.03)`",)
        message = "`muon` turns matrices, and what a space leaves open are single numbers"
        raise SpecError([error("E0674", message, written.span, helps=helps)])
    for argument in written.arguments if isinstance(written, Call) else ():
        field = {"lr": "rate", "weight_decay": "weight_decay"}.get(argument.name or "lr")
        if field is None or not isinstance(argument.value, Quantity):
            helps = ("`lr` and `weight_decay` can be given",)
            message = f"`{written.name}` takes no `{argument.name}` here"
            raise SpecError([error("E0674", message, argument.span or written.span, helps=helps)])
        told[field] = float(argument.value.value)
    return told


def _precision(written: Word | Call) -> Precision:
    if written.name not in _PRECISIONS:
        helps = ("fp32, bf16 and fp16 are",)
        raise SpecError([error("E0674", f"`{written.name}` is no precision", written.span, helps=helps)])
    return _PRECISIONS[written.name]


def _ramp(budget: Budget) -> Temperature:
    """`2 -> 0.05 along cosine`, which is read in the shape of a budget."""
    assert budget.start is not None
    curve = budget.curve.name if budget.curve is not None else "geometric"
    return Temperature(_number(budget.start.value), _number(budget.amounts[0].value), curve)


def _number(value: Value) -> float:
    assert isinstance(value, Quantity)  # the resolver lets nothing else pass
    return float(value.value)


def _share(curve: str, progress: float) -> float:
    """How far along a curve is at this progress, both from 0 to 1."""
    if curve == "cosine":
        return (1 - cos(pi * progress)) / 2
    if curve == "logistic":
        lowest, value = (1 / (1 + exp(-10 * (t - 0.5))) for t in (0.0, progress))
        return (value - lowest) / (1 - 2 * lowest)
    return progress
