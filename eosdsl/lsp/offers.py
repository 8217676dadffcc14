"""What can be proposed for a name, by the place that it would stand in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from eosdsl.diagnostics import SpecError
from eosdsl.highlight.vocabulary import BASES, EVERYTHING, SWITCH, vocabulary
from eosdsl.lsp.document import Document
from eosdsl.lsp.names import declarations
from eosdsl.lsp.stack import Place, Role, positional
from eosdsl.lsp.words import family_doc, operator_doc, option_doc, parameter_doc, summary, word_doc
from eosdsl.operators.parameters import Parameter, parameters
from eosdsl.operators.registry import Kind, operators
from eosdsl.passes.curves import CURVES
from eosdsl.passes.resolve_operators import known_names
from eosdsl.passes.resolve_options import OPTIONS
from eosdsl.passes.resolve_space import MEASURES, OBJECTIVES, OPTIMISERS, SETTINGS
from eosdsl.syntax import tree

ItemKind = Literal["keyword", "operator", "parameter", "word", "option", "param", "score", "file", "family", "number"]


@dataclass(frozen=True)
class Offer:
    """A proposal before its place is known; `insert` is the label where it says nothing. Lower `rank` comes first."""

    label: str
    kind: ItemKind
    detail: str = ""
    doc: str = ""
    insert: str = ""
    rank: int = 1


def names(document: Document, at: Place) -> Iterator[Offer]:
    """Everything that a name could be in this place; the spec's own names first."""
    yield from _own_names(document, at)
    if at.role == "argument":
        yield from _arguments(at)
    elif at.role == "value" and at.parameter is not None:
        yield from _values(at.parameter)
    elif at.role in _KINDS:
        yield from _operators(_KINDS[at.role])
    elif at.role in _TABLES:
        yield from _TABLES[at.role](at)


_KINDS: dict[Role, Kind] = {"score": "scores", "pick": "picks", "behaviour": "behaviours", "amount": "budgets"}


def _own_names(document: Document, at: Place) -> Iterator[Offer]:
    """Scores and params of the spec, where they can be used."""
    takes_params = at.role in ("amount", "layer", "bound", "value", "argument", "anything", "option_value", "score")
    for name, statement in declarations(document).items():
        value = document.text[statement.value.span.start : statement.value.span.end]
        shown = " ".join(value.split())[:80]
        if isinstance(statement, tree.Score) and at.role == "score":
            yield Offer(name, "score", shown, rank=0)
        elif isinstance(statement, tree.Param) and takes_params:
            yield Offer(name, "param", shown, rank=0 if at.role in ("amount", "layer", "bound") else 2)


def _operators(kind: Kind) -> Iterator[Offer]:
    for name in sorted(known_names(kind)):
        try:
            operator = operators(kind).get(name)
        except SpecError:  # a plugin that does not load
            continue
        if operator is None:  # in the language, offered by nobody yet
            yield Offer(name, "operator")
            continue
        yield Offer(name, "operator", summary(operator), operator_doc(operator))
    if kind == "budgets":
        yield Offer("50%", "number", "of the visual tokens that the image started with", rank=0)
        yield Offer("64 tokens", "number", "that many", rank=0)
        yield Offer(EVERYTHING, "word", "every token that is there", word_doc(EVERYTHING, Place("amount")))


def _arguments(at: Place) -> Iterator[Offer]:
    """Parameters that are not given yet, and values of the one that a value without a name would fill."""
    if at.operator is None:
        return
    given = {argument.name.text for argument in at.given if argument.name is not None}
    known = parameters(at.operator)
    given |= {known[i].name for i, argument in enumerate(at.given) if argument.name is None and i < len(known)}
    for parameter in known:
        if parameter.name not in given:
            default = "required" if parameter.required else f"default {parameter.default}"
            yield Offer(parameter.name, "parameter", default, parameter_doc(parameter), f"{parameter.name}: ", rank=0)
    next_one = positional(at)
    if next_one is not None and not given:
        yield from _values(next_one)


def _values(parameter: Parameter) -> Iterator[Offer]:
    accepts = parameter.accepts
    doc = parameter_doc(parameter)
    for word in (*accepts.words, *(SWITCH if accepts.switch else ())):
        yield Offer(word, "word", f"{parameter.name} of it", doc)
    for nested in accepts.nested:
        if nested.only is not None:
            yield Offer(nested.only.name, "operator", "", operator_doc(nested.only))
        elif nested.kind is not None:
            yield from _operators(nested.kind)


def _options(at: Place) -> Iterator[Offer]:
    for name, option in OPTIONS.items():
        bare = name == "keep" or not option.words
        insert = f"{name} " if name == "keep" else name if bare else f"{name}: "
        yield Offer(name, "option", option.doc, option_doc(name), insert)


def _option_values(at: Place) -> Iterator[Offer]:
    option = OPTIONS.get(at.callee)
    for word in option.words if option is not None else ():
        yield Offer(word, "word", f"value of {at.callee}", option_doc(at.callee))


def _settings(at: Place) -> Iterator[Offer]:
    for name, takes in SETTINGS.items():
        yield Offer(name, "option", takes, word_doc(name, at), f"{name}: ")


def _setting_values(at: Place) -> Iterator[Offer]:
    for word in OPTIMISERS if at.callee == "optimiser" else ():
        yield Offer(word, "word", "optimiser")


def _curves(at: Place) -> Iterator[Offer]:
    for word in CURVES:
        yield Offer(word, "operator", "", word_doc(word, at))


def _bases(at: Place) -> Iterator[Offer]:
    for word in BASES:
        yield Offer(word, "word", "", word_doc(word, at))


def _families(at: Place) -> Iterator[Offer]:
    for name in vocabulary().families:
        yield Offer(name, "family", "model family", family_doc(name))


def _measures(at: Place) -> Iterator[Offer]:
    for word in MEASURES:
        insert = "tokens(mean)" if word == "tokens" else word
        yield Offer(word, "operator", MEASURES[word][0], word_doc(word, at), insert)


def _measure_arguments(at: Place) -> Iterator[Offer]:
    words = (*MEASURES[at.callee][1], "layer") if at.callee == "tokens" else OBJECTIVES.get(at.callee, ())
    for word in words:
        yield Offer(word, "word", f"of {at.callee}", insert="layer " if word == "layer" else "")


def _objectives(at: Place) -> Iterator[Offer]:
    for word in OBJECTIVES:
        yield Offer(word, "operator", "", word_doc(word, at))


_TABLES: Mapping[Role, Callable[[Place], Iterator[Offer]]] = {
    "option": _options,
    "option_value": _option_values,
    "flag_word": _option_values,
    "setting": _settings,
    "setting_value": _setting_values,
    "curve": _curves,
    "base": _bases,
    "family": _families,
    "measure": _measures,
    "measure_argument": _measure_arguments,
    "objective": _objectives,
}
