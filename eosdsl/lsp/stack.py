"""The parser's stack, read as a reader would: what has been written of the statement so far, and what a name at its top
would mean there (a score, a parameter of `attention`, a value of `query`, …)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from eosdsl.diagnostics import SpecError
from eosdsl.operators.base import Operator
from eosdsl.operators.parameters import Parameter, parameters
from eosdsl.operators.registry import KINDS, Kind, operators
from eosdsl.syntax import tree
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.tokens import Token

Role = Literal[
    "statement", "name", "family", "path", "site", "layer", "clause", "amount", "base", "curve", "score", "pick",
    "behaviour", "argument", "value", "option", "option_value", "flag_word", "setting", "setting_value", "objective",
    "measure", "measure_argument", "bound", "anything", "unknown",
]  # fmt: skip

_BY_KEYWORD: dict[str, Role] = {
    "by": "score", "pick": "pick", "via": "behaviour", "along": "curve", "of": "base", "for": "family",
    "retain": "amount", "remove": "amount", "minimise": "objective", "to": "measure", "expect": "measure",
    "use": "path", "param": "name", "score": "name", "operator": "name", "space": "name", "layer": "layer",
    "layers": "layer", "depth": "layer", "at": "site", "any": "site", "encoder": "site", "and": "clause",
    "after": "unknown", "eos": "unknown", "subject": "unknown", "search": "unknown",
}  # fmt: skip
_COMPARISONS = frozenset({"<=", ">=", "==", "<", ">"})
_KIND_OF_ROLE: dict[Role, Kind] = {
    "score": "scores",
    "pick": "picks",
    "behaviour": "behaviours",
    "amount": "budgets",
}


@dataclass(frozen=True)
class Place:
    """What a name stands for, or would.

    In an argument list `callee` is the name before it, `operator` its class where it is known, and `given` holds the
    arguments that are written already; for a value `parameter` is the one that it is for, and `callee` the option for
    the value of an option.
    """

    role: Role
    callee: str = ""
    operator: type[Operator] | None = None
    parameter: Parameter | None = None
    given: tuple[tree.Argument, ...] = ()


class Item(NamedTuple):
    """An entry of the stack: the symbol that it was taken as (a keyword may stand as a NAME) and its value."""

    symbol: str
    value: Any


def items(machine: Machine) -> list[Item]:
    """The entries that belong to the statement at hand, bottom first."""
    values, states, tables = machine.values, machine.states, machine.tables
    first = 1 if values and isinstance(values[0], list) else 0
    found: list[Item] = []
    for i in range(first, len(values)):
        value = values[i]
        symbol = ""
        if isinstance(value, Token):
            taken = tables.states[states[i]].get(value.kind) == states[i + 1]
            symbol = value.kind if taken else "NAME"
        elif isinstance(value, str):
            symbol = value  # a comparison, `layer`, `layers`, `depth`
        found.append(Item(symbol, value))
    return found


def place(written: Sequence[Item]) -> Place:
    """What a name would mean after what is written."""
    if written and written[-1].symbol == "NAME" and _place(written[:-1]).role == "option":
        return Place("flag_word", written[-1].value.text)
    return _place(written)


def _place(written: Sequence[Item]) -> Place:
    closed = 0
    for i in range(len(written) - 1, -1, -1):
        symbol = written[i].symbol
        if symbol in (")", "}"):
            closed += 1
        elif symbol in ("(", "{") and closed:
            closed -= 1
        elif not closed and (found := _decides(written, i)) is not None:
            return found
    return Place("statement")


def _decides(written: Sequence[Item], i: int) -> Place | None:
    """The place that entry `i` opens, where it does."""
    symbol, below = written[i].symbol, written[i - 1].symbol if i else ""
    if symbol == "(":
        return _inside_call(written, i) if below in ("NAME", "mix") else None
    if symbol == ":":
        return _after_colon(written, i) if below == "NAME" and i > 1 else Place("clause")
    if symbol == "=" and below == "NAME" and i > 1 and written[i - 2].symbol in ("param", "score"):
        return Place("anything" if written[i - 2].symbol == "param" else "score")
    if symbol in _COMPARISONS or symbol == "=":
        return Place("bound")
    if symbol == "with":
        return Place("setting" if below == "search" else "option")
    return Place(_BY_KEYWORD[symbol]) if symbol in _BY_KEYWORD else None


def _inside_call(written: Sequence[Item], i: int) -> Place:
    if written[i - 1].symbol == "mix":
        return Place("behaviour")
    name = written[i - 1].value.text
    outer = _place(written[: i - 1])
    if outer.role in ("measure", "bound", "objective"):
        return Place("measure_argument", name)
    operator = operator_named(outer, name)
    return Place("argument", name, operator, None, tuple(_arguments(written[i + 1 :])))


def _arguments(entries: Sequence[Item]) -> list[tree.Argument]:
    found: list[tree.Argument] = []
    for entry in entries:
        several: list[Any] = entry.value if isinstance(entry.value, list) else [entry.value]
        found += [value for value in several if isinstance(value, tree.Argument)]
    return found


def _after_colon(written: Sequence[Item], i: int) -> Place:
    name = written[i - 1].value.text
    outer = _place(written[: i - 1])
    if outer.role == "option":
        return Place("option_value", name)
    if outer.role == "setting":
        return Place("setting_value", name)
    if outer.role != "argument":
        return Place("clause")  # the name of a layer before the colon of the site
    known = parameters(outer.operator) if outer.operator is not None else ()
    parameter = next((one for one in known if one.name == name), None)
    return Place("value", outer.callee, outer.operator, parameter, outer.given)


def positional(at: Place) -> Parameter | None:
    """The parameter that a value without a name would fill here."""
    known = parameters(at.operator) if at.operator is not None else ()
    return known[len(at.given)] if at.role == "argument" and len(at.given) < len(known) else None


def operator_named(at: Place, name: str) -> type[Operator] | None:
    """The class of an operator of this name in this place."""
    if at.role in _KIND_OF_ROLE:
        return _look_up(_KIND_OF_ROLE[at.role], name)
    if at.role == "anything":
        return next((found for kind in KINDS if (found := _look_up(kind, name)) is not None), None)
    parameter = at.parameter if at.role == "value" else positional(at)
    for nested in parameter.accepts.nested if parameter is not None else ():
        if nested.only is not None and nested.only.name == name:
            return nested.only
        if nested.kind is not None and (found := _look_up(nested.kind, name)) is not None:
            return found
    return None


def _look_up(kind: Kind, name: str) -> type[Operator] | None:
    try:
        return operators(kind).get(name)
    except SpecError:  # a plugin that does not load
        return None
