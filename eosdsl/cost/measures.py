"""Measures that `expect` and `subject to` compare: tokens, FLOPs, bytes of cache, milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Generic

from eosdsl.cost.account import Cost
from eosdsl.cost.counts import Count, total
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.quantities import Call, Quantity, Unit, Word

_NAMES = ("tokens(mean)", "tokens(max)", "tokens(layer 9)", "flops", "prefill_flops", "kv_cache", "latency")


@dataclass(frozen=True)
class Amounts(Generic[Count]):
    """What measures look at: visual tokens of an image `entering` every layer, FLOPs of `prefill` (the
    decoder) and of everything, bytes of cache, and milliseconds of prefill where a machine's profile predicts them."""

    entering: Sequence[Count]
    prefill_flops: Count
    flops: Count
    kv_cache: Count
    latency: Count | None = None


def amounts(cost: Cost, latency: float | None = None) -> Amounts[Fraction]:
    """The exact amounts of a cost; `latency` as a profile predicts it, in milliseconds."""
    return Amounts(
        entering=[Fraction(layer.entering) for layer in cost.main],
        prefill_flops=Fraction(2 * cost.macs.decoder),
        flops=Fraction(2 * cost.macs.total),
        kv_cache=Fraction(cost.kv_cache_bytes),
        latency=None if latency is None else Fraction(latency),
    )


def measure(call: Call, reduced: Amounts[Count], full: Amounts[Count]) -> tuple[Unit, Count, Count]:
    """Unit, value, and the full model's value. Raises SpecError (E0302, E0331) where it measures nothing."""
    if call.name == "tokens":
        return "tokens", _tokens(call, reduced.entering), _tokens(call, full.entering)
    if call.name == "kv_cache":
        return "bytes", reduced.kv_cache, full.kv_cache
    if call.name == "prefill_flops":
        return "flops", reduced.prefill_flops, full.prefill_flops
    if call.name == "flops":
        return "flops", reduced.flops, full.flops
    if call.name == "latency" and reduced.latency is not None and full.latency is not None:
        return "milliseconds", reduced.latency, full.latency
    helps = ("measures are " + ", ".join(_NAMES),)
    if call.name == "latency":
        helps = ("latency depends on the machine: measure it with `eosdsl profile`, then give --profile FILE", *helps)
    raise SpecError([error("E0331", f"`{call.name}` cannot be measured here", call.span, helps=helps)])


def _tokens(measure: Call, entering: Sequence[Count]) -> Count:
    """Visual tokens of an image entering decoder layers: mean, max, min, or one layer's."""
    argument = measure.arguments[0] if measure.arguments else None
    value = argument.value if argument else Word(name="mean")
    if argument and argument.name == "layer" and isinstance(value, Quantity):
        return entering[_layer(value, measure, len(entering))]
    if isinstance(value, Call) and value.name == "layer" and value.arguments:
        inner = value.arguments[0].value
        if isinstance(inner, Quantity):
            return entering[_layer(inner, measure, len(entering))]
    name = value.name if isinstance(value, (Word, Call)) else ""
    if name == "mean":
        mean: Any = total(entering) / len(entering)
        return mean
    if name in ("max", "min"):
        return max(entering) if name == "max" else min(entering)
    helps = ("write `tokens(mean)`, `tokens(max)`, `tokens(min)` or `tokens(layer 9)`",)
    raise SpecError([error("E0331", "this is no way to count tokens", measure.span, helps=helps)])


def _layer(value: Quantity, measure: Call, layers: int) -> int:
    if value.value.denominator == 1 and 0 <= value.value < layers:
        return int(value.value)
    message = f"layer {float(value.value):g} is past the last decoder layer"
    label = f"there are decoder layers 0..{layers - 1}"
    raise SpecError([error("E0302", message, value.span or measure.span, label)])


def measure_name(measure: Call) -> str:
    """As it is written."""
    if measure.name != "tokens" or not measure.arguments:
        return measure.name
    value = measure.arguments[0].value
    if isinstance(value, Call) and value.arguments and isinstance(value.arguments[0].value, Quantity):
        return f"tokens(layer {float(value.arguments[0].value.value):g})"
    return f"tokens({value.name})" if isinstance(value, (Word, Call)) else "tokens(layer)"
