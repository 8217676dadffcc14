"""What the words of the language do, in Markdown: for hover and beside completions."""

from __future__ import annotations

from eosdsl.diagnostics import SpecError
from eosdsl.lsp.stack import Place
from eosdsl.operators.base import Operator
from eosdsl.operators.parameters import Parameter
from eosdsl.operators.registry import KINDS, Kind, operators
from eosdsl.passes.curves import CURVES
from eosdsl.passes.resolve_options import OPTIONS
from eosdsl.passes.resolve_space import MEASURES, OBJECTIVES, SETTINGS
from eosdsl.syntax.keywords import KEYWORDS
from eosdsl.views.operator_page import operator_page

_BASES = {
    "incoming": "of the tokens that arrive at this site",
    "original": "of the tokens that the image started with",
}
_CURVES = {
    "geometric": "every layer keeps the same share of what arrives; the default",
    "linear": "every layer gives up the same number of tokens",
    "cosine": "slow at both ends, fast in the middle",
    "logistic": "an S; `logistic(20)` is steeper than `logistic`",
}
_MEASURES = {
    "tokens": "visual tokens entering a decoder layer: `tokens(mean)`, `tokens(max)`, `tokens(min)`, `tokens(layer 9)`",
    "flops": "operations of a prefill: decoder, tower, projector, reducers, head; `30%` is of the full model's",
    "prefill_flops": "operations of the decoder over the whole prompt",
    "kv_cache": "bytes of the key-value cache after prefill",
    "latency": "measured time of a prefill",
}
_OBJECTIVES = {
    "task": "loss on the answers of the data",
    "alignment": "distance of the reduced model's hidden states or logits from the full model's",
}


def keyword_doc(word: str) -> str:
    """A keyword in one line."""
    return f"**{word}**: {KEYWORDS[word].doc}"


def operator_doc(operator: type[Operator]) -> str:
    """The page of an operator; nothing for one that exists only as a value of a parameter and has no kind."""
    kind = _kind_of(operator)
    return operator_page(kind, operator) if kind is not None else (operator.__doc__ or "")


def summary(operator: type[Operator]) -> str:
    """The first line of an operator's page."""
    lines = (operator.__doc__ or "").strip().splitlines()
    return lines[0] if lines else ""


def _kind_of(operator: type[Operator]) -> Kind | None:
    for kind in KINDS:
        try:
            if operators(kind).get(operator.name) is operator:
                return kind
        except SpecError:
            continue
    return None


def parameter_doc(parameter: Parameter) -> str:
    """What a parameter is for, takes, and is when it is left out."""
    default = "required" if parameter.required else f"default `{parameter.default}`"
    description = f"{parameter.description}. " if parameter.description else ""
    return f"**{parameter.name}**: {description}Takes {parameter.accepts.describe()}; {default}."


def option_doc(name: str) -> str:
    """A `with` option and its words."""
    option = OPTIONS[name]
    words = f" One of {', '.join(f'`{word}`' for word in option.words)}." if option.words else ""
    return f"**{name}**: {option.doc}.{words}"


def word_doc(word: str, at: Place) -> str:
    """What a word means in its place; empty where nothing is known."""
    if at.role == "base" and word in _BASES:
        return f"**of {word}**: {_BASES[word]}"
    if at.role == "curve" and word in CURVES:
        return f"**{word}**: {_CURVES.get(word, 'a curve between two values')}"
    if at.role == "option" and word in OPTIONS:
        return option_doc(word)
    if at.role in ("option_value", "flag_word") and at.callee in OPTIONS:
        return f"**{word}**, for {option_doc(at.callee)}"
    if at.role == "setting" and word in SETTINGS:
        return f"**{word}** of the search: {SETTINGS[word]}"
    if at.role in ("measure", "bound") and word in MEASURES:
        return f"**{word}**: {_MEASURES.get(word, 'a measure')}"
    if at.role == "objective" and word in OBJECTIVES:
        return f"**{word}**: {_OBJECTIVES.get(word, 'a term of the objective')}"
    if at.role == "amount" and word == "all":
        return "**all**: every token that is there"
    if at.role == "value" and at.parameter is not None:
        return f"**{word}**, for {parameter_doc(at.parameter)}"
    return ""


def family_doc(name: str) -> str:
    """A model family and the models that ship with it; empty for an unknown one."""
    from eosdsl.models.profiles import profiles

    try:
        profile = profiles().get(name)
    except SpecError:
        return ""
    if profile is None:
        return ""
    models = ", ".join(f"`{model.name}`" for model in profile.shipped)
    return f"**{name}**: {profile.summary or 'a model family'}" + (f"\n\nModels: {models}" if models else "")
