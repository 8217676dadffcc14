"""`with` options: the bookkeeping of a site."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fractions import Fraction
from types import MappingProxyType
from typing import Any, NamedTuple

from eosdsl.ir.nodes import AttentionBias, Bookkeeping
from eosdsl.ir.quantities import Call, Open, Quantity, Value, Word
from eosdsl.passes.resolve_context import Context
from eosdsl.passes.resolve_values import hole, quantity, value
from eosdsl.syntax import tree


class OptionDoc(NamedTuple):
    """The words that an option takes, and what it does."""

    words: tuple[str, ...]
    doc: str


OPTIONS: Mapping[str, OptionDoc] = MappingProxyType(
    {
        "positions": OptionDoc(("keep", "compact", "mean", "median"), "the position ids of the tokens that stay"),
        "order": OptionDoc(("position", "score", "anchors_then_rest"), "the order of the tokens that stay"),
        "attention_bias": OptionDoc(("none", "log_size", "calibrated"), "what later attention adds to a key's logit"),
        "proportional_attention": OptionDoc((), "short for `attention_bias: log_size`"),
        "sizes": OptionDoc(("sum", "none"), "whether sizes travel on, or every token counts as one again"),
        "keep": OptionDoc(("cls",), "`keep cls`: the class token is carried along"),
    }
)


_USUAL = Bookkeeping()


def bookkeeping(context: Context, groups: Iterable[tree.Group]) -> Bookkeeping:
    """The bookkeeping of a statement, from the `with` clauses of all its groups."""
    given: dict[str, tree.Option] = {}
    fields: dict[str, Any] = {}
    extra: list[tuple[str, Word | Quantity | Call]] = []
    for option in (option for group in groups if group.options for option in group.options.options):
        name = "attention_bias" if option.name.text == "proportional_attention" else option.name.text
        if name not in OPTIONS:
            context.unknown("E0206", "option", option.name, OPTIONS)
            continue
        if name in given:
            context.error(
                "E0209", f"`{name}` is given twice", option.span, "again", helps=("a site has one bookkeeping",)
            )
            continue
        given[name] = option
        if name == "attention_bias":
            fields["attention_bias"] = _attention_bias(context, option)
            continue
        word = _word(context, option, OPTIONS[name].words)
        if word is None:
            continue
        if name in ("positions", "order"):
            fields[name] = word.name
        else:
            extra.append((name, word))
    if not given:
        return _USUAL
    span = next(iter(given.values())).span
    return Bookkeeping(**fields, extra=tuple(extra), span=context.at(span))


def _word(context: Context, option: tree.Option, words: tuple[str, ...]) -> Word | None:
    """The word that an option was given, which must be one of `words`."""
    name = option.name.text
    if option.word is not None:
        return _flag_word(context, option, option.word, words)
    if option.value is None:
        example = f"keep {words[0]}" if name == "keep" else f"{name}: {words[0]}"
        context.error(
            "E0206", f"`{name}` needs a value", option.span, f"one of {', '.join(words)}", helps=(f"`{example}`",)
        )
        return None
    found = value(context, option.value)
    if isinstance(found, Word):
        if found.name in words:
            return found
        context.unknown_at("E0205", f"value of `{name}`", found.name, option.value.span, words)
    elif isinstance(found, Open):
        context.error("E0505", f"`{name}` cannot be left open", option.value.span, f"one of {', '.join(words)}")
    elif found is not None:
        context.error("E0204", f"`{name}` takes one of {', '.join(words)}", option.value.span, "not this")
    return None


def _flag_word(context: Context, option: tree.Option, word: tree.Word, words: tuple[str, ...]) -> Word | None:
    name = option.name.text
    if word.text not in words:
        context.unknown("E0205", f"value of `{name}`", word, words)
        return None
    if name != "keep":
        text = f"{name}: {word.text}"
        context.error(
            "E0206",
            f"`:` is missing after `{name}`",
            option.span,
            "a value follows a colon",
            fix=context.replacement(option.span, text, safe=True),
        )
        return None
    return Word(name=word.text, span=context.at(word.span))


def _attention_bias(context: Context, option: tree.Option) -> AttentionBias:
    """`none`, `log_size`, `0.7 * log_size`, `? 0..1.5 * log_size`, `calibrated`."""
    span = context.at(option.span)
    one = AttentionBias(strength=Quantity(value=Fraction(1), span=span), span=span)
    if option.name.text == "proportional_attention":
        if option.value is not None or option.word is not None:
            context.error("E0206", "`proportional_attention` stands alone", option.span, "it takes no value")
        return one
    written = option.value
    if written is None:
        _report_bias(context, option)
        return one
    if isinstance(written, tree.Product):
        return AttentionBias(strength=_strength(context, written, option), span=span)
    found = value(context, written)
    if isinstance(found, Open):
        return AttentionBias(strength=_positive(context, found, written), span=span)
    if not isinstance(found, Word):
        if found is not None:
            _report_bias(context, option)
        return one
    if found.name not in OPTIONS["attention_bias"].words:
        context.unknown_at(
            "E0205", "value of `attention_bias`", found.name, written.span, OPTIONS["attention_bias"].words
        )
        return one
    if found.name == "calibrated":
        return AttentionBias(strength=found, span=span)
    return AttentionBias(strength=Quantity(value=Fraction(found.name == "log_size"), span=span), span=span)


def _strength(context: Context, written: tree.Product, option: tree.Option) -> Quantity | Open:
    one = Quantity(value=Fraction(1))
    if len(written.factors) != 2:
        _report_bias(context, option)
        return one
    left, right = written.factors
    if isinstance(left, tree.Call) and left.name.text == "log_size":
        left, right = right, left
    if not (isinstance(right, tree.Call) and right.name.text == "log_size" and not right.arguments):
        _report_bias(context, option)
        return one
    found: Value | None
    match left:
        case tree.Hole():
            found = hole(context, left)
        case tree.Number():
            found = quantity(context, left)
        case _:
            found = value(context, left)
    if found is None:
        return one
    if isinstance(found, Open):
        return _positive(context, found, left)
    if not isinstance(found, Quantity) or found.unit not in ("number", "ratio"):
        context.error("E0204", "the strength of the bias is a plain number", left.span, "not this")
        return one
    if found.value < 0:
        context.error("E0345", "the strength of the bias cannot be negative", left.span, "negative")
        return one
    return found


def _positive(context: Context, found: Open, written: tree.Expression) -> Open:
    sides = (found.low, found.high, found.prior, *found.choices)
    if any(side is not None and not (isinstance(side, Quantity) and side.value >= 0) for side in sides):
        context.error("E0345", "the strength of the bias is a number from 0 on", written.span, "not this")
    return found


def _report_bias(context: Context, option: tree.Option) -> None:
    context.error(
        "E0206",
        "this is not an attention bias",
        option.span,
        "expected `none`, `log_size`, `0.7 * log_size` or `calibrated`",
    )
