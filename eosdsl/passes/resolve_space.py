"""What surrounds the statements: objective, constraints, and how to search."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from eosdsl.ir.nodes import Amount, Budget, Constraint, ScoreExpr
from eosdsl.ir.quantities import Call, Open, Quantity, Unit, Value, Word
from eosdsl.passes.resolve_budgets import curve
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_scores import combination
from eosdsl.passes.resolve_values import call, value
from eosdsl.source import Span
from eosdsl.syntax import tree

# The measures of a constraint, with the unit of a bare number beside them, and their arguments.
MEASURES: Mapping[str, tuple[Unit, tuple[str, ...]]] = MappingProxyType(
    {
        "tokens": ("tokens", ("mean", "max", "min")),
        "flops": ("flops", ()),
        "prefill_flops": ("flops", ()),
        "kv_cache": ("bytes", ()),
        "latency": ("milliseconds", ()),
    }
)

# The terms of an objective with the words that they take.
OBJECTIVES: Mapping[str, tuple[str, ...]] = MappingProxyType({"task": (), "alignment": ("hidden", "logits")})

# The settings of a search, with what they take.
SETTINGS: Mapping[str, str] = MappingProxyType(
    {
        "steps": "a whole number",
        "seed": "a whole number from 0",
        "batch": "a whole number",
        "accumulate": "a whole number",
        "checkpoint": "a whole number",
        "pool": "a whole number",
        "refine": "a whole number",
        "faintness": "a number",
        "optimiser": "an optimiser",
        "temperature": "a number or a ramp",
        "precision": "a word",
    }
)
OPTIMISERS = ("adamw", "adam", "sgd", "muon")

_COMPARISONS = {"<=": "<=", ">=": ">=", "=": "=", "==": "="}
_FLIPPED = {"<=": ">=", ">=": "<=", "=": "="}


def objective(context: Context, written: tree.Minimise) -> ScoreExpr | None:
    """What a search makes small."""
    return combination(context, written.value, _objective_term)


def _objective_term(context: Context, written: tree.Call | tree.Rule) -> ScoreExpr | None:
    name = written.name.text
    if name not in OBJECTIVES:
        context.unknown("E0205", "term of an objective", written.name, OBJECTIVES)
        return None
    found = call(context, written)
    words = OBJECTIVES[name]
    for argument in found.arguments:
        if not (isinstance(argument.value, Word) and argument.value.name in words):
            expected = f"one of {', '.join(words)}" if words else "no arguments"
            context.error("E0204", f"`{name}` takes {expected}", written.span, "not this")
            return None
    return found


def _between(written: tree.Constraint) -> Span:
    """Where the comparison stands: in the middle of what is between its sides."""
    left, right = written.left.span, written.right.span
    blanks = right.start - left.end - len(written.comparison)
    before = blanks // 2 if left.end_line == right.line and blanks in (0, 2) else 0
    after = before if before or not blanks else 0
    return Span(
        left.end + before,
        right.start - after,
        left.end_line,
        left.end_column + before,
        right.line,
        right.column - after,
    )


def constraint(context: Context, written: tree.Constraint) -> Constraint | None:
    """`measure <= bound`; written the other way round it is turned."""
    if written.comparison not in _COMPARISONS:
        instead = f"{written.comparison}="
        between = _between(written)
        fix = context.replacement(between, instead)
        context.error("E0205", f"`{written.comparison}` is no comparison here", between, f"write `{instead}`", fix=fix)
        return None
    comparison = _COMPARISONS[written.comparison]
    left, right = written.left, written.right
    if not _is_measure(left) and _is_measure(right):
        left, right, comparison = right, left, _FLIPPED[comparison]
    measure = _measure(context, left)
    bound = value(context, right)
    if measure is None or bound is None:
        return None
    quantity = _bound(context, measure, bound, right)
    if quantity is None:
        return None
    kept = "<=" if comparison == "<=" else ">=" if comparison == ">=" else "="
    return Constraint(measure=measure, comparison=kept, bound=quantity, span=context.at(written.span))


def _is_measure(expression: tree.Expression) -> bool:
    return isinstance(expression, tree.Call | tree.Rule) and expression.name.text in MEASURES


def _measure(context: Context, written: tree.Expression) -> Call | None:
    if not isinstance(written, tree.Call):
        context.error("E0204", "this is not a measure", written.span, f"expected one of {', '.join(MEASURES)}")
        return None
    name = written.name.text
    if name not in MEASURES:
        context.unknown("E0205", "measure", written.name, MEASURES)
        return None
    found = call(context, written)
    if name == "tokens" and not found.arguments:
        fix = context.replacement(written.span, "tokens(mean)")
        context.error(
            "E0204", "tokens where?", written.span, "`tokens(mean)`, `tokens(max)` or `tokens(layer 9)`", fix=fix
        )
        return None
    if name == "tokens" and len(found.arguments) == 1 and _is_place(found.arguments[0].value):
        return found
    if found.arguments:
        expected = "mean, max, min or a layer" if name == "tokens" else "no arguments"
        context.error("E0204", f"`{name}` takes {expected}", written.span, "not this")
        return None
    return found


def _is_place(given: Value) -> bool:
    """`mean`, `max`, `min`, or `layer 9`."""
    if isinstance(given, Word):
        return given.name in MEASURES["tokens"][1]
    if not isinstance(given, Call) or given.name != "layer" or len(given.arguments) != 1:
        return False
    layer = given.arguments[0].value
    return isinstance(layer, Quantity) and layer.unit == "number" and layer.value >= 0 and layer.value.denominator == 1


def _bound(context: Context, measure: Call, bound: Value, written: tree.Expression) -> Quantity | None:
    """The bound in the unit of the measure, or as a share of the full model's."""
    unit = MEASURES[measure.name][0]
    if isinstance(bound, Word) and bound.name in context.legible:
        return None
    if isinstance(bound, Word):
        word = tree.Word(bound.name, written.span)
        context.unknown("E0201", "param", word, context.params)
        return None
    if isinstance(bound, Open):
        context.error("E0505", "a constraint cannot be left open", written.span, "expected a number")
        return None
    if not isinstance(bound, Quantity):
        context.error("E0204", "a bound is a number", written.span, "expected a number")
        return None
    if bound.value < 0:
        context.error("E0345", "a bound cannot be negative", written.span, "negative")
        return None
    if bound.unit == "number":
        return bound.model_copy(update={"unit": unit})
    if bound.unit not in (unit, "ratio"):
        context.error(
            "E0204", f"`{measure.name}` is measured in {unit}, not in {bound.unit}", written.span, "other unit"
        )
        return None
    return bound


def search_settings(
    context: Context, options: Iterable[tree.Option]
) -> tuple[tuple[str, Call | Quantity | Word | Budget], ...]:
    """The settings of a search, each once."""
    settings: dict[str, Call | Quantity | Word | Budget] = {}
    for option in options:
        name = option.name.text
        if name not in SETTINGS:
            context.unknown("E0206", "search setting", option.name, SETTINGS)
            continue
        if name in settings:
            context.error("E0209", f"`{name}` is given twice", option.span, "again")
            continue
        found = _setting(context, option)
        if found is not None:
            settings[name] = found
    return tuple(settings.items())


def _setting(context: Context, option: tree.Option) -> Call | Quantity | Word | Budget | None:
    name = option.name.text
    if option.value is None:
        context.error("E0206", f"`{name}` needs a value", option.span, f"expected {SETTINGS[name]}")
        return None
    if name == "temperature" and isinstance(option.value, tree.Ramp):
        return _ramp(context, option.value)
    found = value(context, option.value)
    if found is None:
        return None
    if SETTINGS[name].startswith("a whole number"):
        return _whole(context, option, found, least=0 if name == "seed" else 1)
    if name in ("temperature", "faintness"):
        return _positive(context, found, option.value, name)
    if not isinstance(found, Word | Call):
        context.error("E0204", f"`{name}` takes {SETTINGS[name]}", option.value.span, "not this")
        return None
    if name == "optimiser" and found.name not in OPTIMISERS:
        context.unknown_at("E0205", "optimiser", found.name, option.value.span, OPTIMISERS)
        return None
    return Call(name=found.name, span=found.span) if name == "optimiser" and isinstance(found, Word) else found


def _whole(context: Context, option: tree.Option, found: Value, least: int) -> Quantity | None:
    name = option.name.text
    assert option.value is not None
    if isinstance(found, Quantity) and found.unit == "number" and found.value.denominator == 1 and found.value >= least:
        return found
    context.error("E0504", f"`{name}` is a whole number from {least} on", option.value.span, "not this")
    return None


def _positive(
    context: Context, found: Value | None, written: tree.Expression, name: str = "temperature"
) -> Quantity | None:
    if isinstance(found, Quantity) and found.unit == "number" and found.value > 0:
        return found
    if found is not None:
        context.error("E0504", f"a {name} is a positive number", written.span, "not this")
    return None


def _ramp(context: Context, written: tree.Ramp) -> Budget | None:
    """`2 -> 0.05 along cosine`, in the shape of a budget: from `start` to the one amount."""
    start = _positive(context, value(context, written.start), written.start)
    end = _positive(context, value(context, written.end), written.end)
    along = curve(context, written.curve) if written.curve is not None else None
    if start is None or end is None or (written.curve is not None and along is None):
        return None
    return Budget(
        verb="retain",
        amounts=(Amount(value=end, span=end.span),),
        start=Amount(value=start, span=start.span),
        curve=along,
        span=context.at(written.span),
    )
