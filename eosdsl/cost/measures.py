"""Measures that `expect` and `subject to` compare: tokens, FLOPs, bytes of cache."""

from __future__ import annotations

from fractions import Fraction

from eosdsl.cost.account import Cost
from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.quantities import Call, Quantity, Unit, Word

_NAMES = ("tokens(mean)", "tokens(max)", "tokens(layer 9)", "flops", "prefill_flops", "kv_cache")


def measure(call: Call, reduced: Cost, full: Cost) -> tuple[Unit, Fraction, Fraction]:
    """Unit, value, and the full model's value. Raises SpecError (E0302, E0331) where it measures nothing."""
    if call.name == "tokens":
        return "tokens", _tokens(call, reduced), _tokens(call, full)
    if call.name == "kv_cache":
        return "bytes", Fraction(reduced.kv_cache_bytes), Fraction(full.kv_cache_bytes)
    if call.name == "prefill_flops":
        return "flops", Fraction(2 * reduced.macs.decoder), Fraction(2 * full.macs.decoder)
    if call.name == "flops":
        return "flops", Fraction(2 * reduced.macs.total), Fraction(2 * full.macs.total)
    helps = ("measures are " + ", ".join(_NAMES),)
    if call.name == "latency":
        helps = ("latency depends on the machine: it needs a measured table", *helps)
    raise SpecError([error("E0331", f"`{call.name}` cannot be measured here", call.span, helps=helps)])


def _tokens(measure: Call, cost: Cost) -> Fraction:
    """Visual tokens of an image entering decoder layers: mean, max, min, or one layer's."""
    entering = [layer.entering for layer in cost.decoder]
    argument = measure.arguments[0] if measure.arguments else None
    value = argument.value if argument else Word(name="mean")
    if argument and argument.name == "layer" and isinstance(value, Quantity):
        return _layer(value, measure, entering)
    if isinstance(value, Call) and value.name == "layer" and value.arguments:
        inner = value.arguments[0].value
        if isinstance(inner, Quantity):
            return _layer(inner, measure, entering)
    name = value.name if isinstance(value, (Word, Call)) else ""
    if name == "mean":
        return Fraction(sum(entering), len(entering))
    if name in ("max", "min"):
        return Fraction(max(entering) if name == "max" else min(entering))
    helps = ("write `tokens(mean)`, `tokens(max)`, `tokens(min)` or `tokens(layer 9)`",)
    raise SpecError([error("E0331", "this is no way to count tokens", measure.span, helps=helps)])


def _layer(value: Quantity, measure: Call, entering: list[int]) -> Fraction:
    if value.value.denominator == 1 and 0 <= value.value < len(entering):
        return Fraction(entering[int(value.value)])
    message = f"layer {float(value.value):g} is past the last decoder layer"
    label = f"there are decoder layers 0..{len(entering) - 1}"
    raise SpecError([error("E0302", message, value.span or measure.span, label)])


def measure_name(measure: Call) -> str:
    """As it is written."""
    if measure.name != "tokens" or not measure.arguments:
        return measure.name
    value = measure.arguments[0].value
    if isinstance(value, Call) and value.arguments and isinstance(value.arguments[0].value, Quantity):
        return f"tokens(layer {float(value.arguments[0].value.value):g})"
    return f"tokens({value.name})" if isinstance(value, (Word, Call)) else "tokens(layer)"
