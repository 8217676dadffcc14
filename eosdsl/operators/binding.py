"""From a call in the program to an operator; each mistake with its place and remedy."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal, overload

from pydantic import ValidationError

from eosdsl.diagnostics import Diagnostic, Edit, Fix, error
from eosdsl.ir.quantities import Argument, Call, Dims, Open, Quantity, Value, Word
from eosdsl.nearest import nearest
from eosdsl.operators.base import Behaviour, Budget, Operator, Pick, Score, Similarity, Support
from eosdsl.operators.parameters import Accepts, Nested, Parameter, parameters
from eosdsl.operators.registry import SINGULAR, Kind, operators
from eosdsl.source import Span

_SWITCH = {"yes": True, "no": False}


class _Undecided:
    """Stands for an open value while a space is checked."""


_UNDECIDED = _Undecided()


@overload
def bind_call(kind: Literal["scores"], call: Call) -> tuple[Score | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Literal["picks"], call: Call) -> tuple[Pick | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Literal["behaviours"], call: Call) -> tuple[Behaviour | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Literal["similarities"], call: Call) -> tuple[Similarity | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Literal["supports"], call: Call) -> tuple[Support | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Literal["budgets"], call: Call) -> tuple[Budget | None, list[Diagnostic]]: ...
@overload
def bind_call(kind: Kind, call: Call) -> tuple[Operator | None, list[Diagnostic]]: ...
def bind_call(kind: Kind, call: Call) -> tuple[Any, list[Diagnostic]]:
    """The operator that a call names, or None with the reasons (E0220 to E0227). Open values are refused here."""
    binder = _Binder(tolerant=False)
    bound = binder.named(kind, call)
    return (bound if isinstance(bound, Operator) else None), binder.found


def check_call(kind: Kind, call: Call) -> list[Diagnostic]:
    """As `bind_call` for a space: open values may stand anywhere, their bounds and choices are checked one by one."""
    binder = _Binder(tolerant=True)
    binder.named(kind, call)
    return binder.found


class _Binder:
    """Collects diagnostics while values become Python values; `tolerant` lets open values pass as undecided."""

    def __init__(self, tolerant: bool) -> None:
        self.tolerant = tolerant
        self.found: list[Diagnostic] = []

    def named(self, kind: Kind, call: Call) -> Any:
        offered = operators(kind)
        if call.name not in offered:
            self.found.append(_unknown(SINGULAR[kind], call.name, _name_span(call), tuple(offered)))
            return None
        return self.build(offered[call.name], call)

    def build(self, operator: type[Operator], call: Call) -> Any:
        """The operator with the call's arguments; None after a mistake; undecided where a value is open."""
        offered = parameters(operator)
        before = len(self.found)
        given = self._match(operator, offered, call)
        if any(problem.code == "E0224" for problem in self.found[before:]):
            return None  # with values too many, it is not clear which is which
        values = {
            p.name: self.value(p.accepts, given[p.name].value, f"`{p.name}` of {operator.name}")
            for p in offered
            if p.name in given
        }
        missing = [p.name for p in offered if p.required and p.name not in given]
        if missing:
            self.found.append(_missing(operator, missing, call))
        if len(self.found) > before:
            return None
        return self._instance(operator, values, given, call)

    def _match(self, operator: type[Operator], offered: tuple[Parameter, ...], call: Call) -> dict[str, Argument]:
        known = [p.name for p in offered]
        given: dict[str, Argument] = {}
        for place, argument in enumerate(call.arguments):
            name = argument.name if argument.name is not None else _nth(known, place)
            if name is None or name in given:
                self.found.append(_surplus(operator, known, argument, name, call))
            elif name not in known:
                self.found.append(
                    _unknown(f"parameter of {operator.name}", name, _argument_span(argument), tuple(known), "E0221")
                )
            else:
                given[name] = argument
        return given

    def _instance(
        self, operator: type[Operator], values: dict[str, Any], given: dict[str, Argument], call: Call
    ) -> Any:
        undecided = any(value is _UNDECIDED for value in values.values())
        decided = {name: value for name, value in values.items() if value is not _UNDECIDED}
        try:
            return operator(**decided)
        except ValidationError as problem:
            complaints = [item for item in problem.errors() if not (undecided and item["type"] == "missing")]
            self.found.extend(_out_of_range(operator, item["loc"], item["msg"], given, call) for item in complaints)
            return _UNDECIDED if not complaints else None

    def value(self, accepted: Accepts, value: Value, what: str) -> Any:
        """The Python value of an argument; a mistake is recorded and gives None."""
        if isinstance(value, Open):
            return self._open(accepted, value, what)
        if isinstance(value, Word | Call):
            return self._word_or_call(accepted, value, what)
        if isinstance(value, Dims):
            return (value.rows, value.columns) if accepted.dims else self._wrong(accepted, value, what)
        return self._number(accepted, value, what)

    def _open(self, accepted: Accepts, value: Open, what: str) -> Any:
        if not self.tolerant:
            self.found.append(
                error(
                    "E0226",
                    f"{what} is left open",
                    value.span,
                    "decide it here",
                    helps=("only a `space` holds `?`",),
                )
            )
            return None
        for part in (value.low, value.high, value.prior, *value.choices):
            if part is not None:
                self.value(accepted, part, what)
        return _UNDECIDED

    def _word_or_call(self, accepted: Accepts, value: Word | Call, what: str) -> Any:
        bare = isinstance(value, Word) or not value.arguments
        if bare and (accepted.name or value.name in accepted.words):
            return value.name
        if bare and accepted.switch and value.name in _SWITCH:
            return _SWITCH[value.name]
        if not accepted.nested:
            return self._wrong(accepted, value, what)
        call = value if isinstance(value, Call) else Call(name=value.name, span=value.span)
        for nested in accepted.nested:
            if call.name in nested.names():
                return self._nested(nested, call)
        names = (*accepted.words, *(name for nested in accepted.nested for name in nested.names()))
        self.found.append(_unknown(f"value for {what}", call.name, _name_span(call), names))
        return None

    def _nested(self, nested: Nested, call: Call) -> Any:
        if nested.only is not None:
            return self.build(nested.only, call)
        return self.named(nested.kind, call) if nested.kind else None

    def _number(self, accepted: Accepts, value: Quantity, what: str) -> Any:
        if accepted.number is None or value.unit not in ("number", "ratio"):
            return self._wrong(accepted, value, what)
        if accepted.number == "int" and (value.value.denominator != 1 or value.unit != "number"):
            return self._wrong(accepted, value, what)
        if accepted.number == "int":
            return int(value.value)
        return value.value if accepted.exact else float(value.value)

    def _wrong(self, accepted: Accepts, value: Value, what: str) -> None:
        expected = accepted.describe()
        choices = (*accepted.words, *(("yes", "no") if accepted.switch else ()))
        close = nearest(value.name, choices) if isinstance(value, Word | Call) else None
        message = f"{what} takes {expected}, not {_shown(value)}"
        self.found.append(_with_suggestion("E0222", message, value.span, f"expected {expected}", close))


def _nth(names: list[str], place: int) -> str | None:
    return names[place] if place < len(names) else None


def _shown(value: Value) -> str:
    if isinstance(value, Word | Call):
        return f"`{value.name}`"
    if isinstance(value, Dims):
        return f"`{value.rows}x{value.columns}`"
    if isinstance(value, Quantity):
        return _shown_quantity(value)
    return "`?`"


def _shown_quantity(value: Quantity) -> str:
    if value.unit == "ratio":
        return f"{_decimal(value.value * 100)}%"
    return _decimal(value.value) if value.unit == "number" else f"{_decimal(value.value)} {value.unit}"


def _decimal(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _unknown(what: str, name: str, span: Span | None, offered: tuple[str, ...], code: str = "E0220") -> Diagnostic:
    close = nearest(name, offered)
    listed = ", ".join(offered) if offered else "none"
    return _with_suggestion(
        code, f"there is no {what} named `{name}`", span, "unknown name", close, (f"known: {listed}",)
    )


def _with_suggestion(
    code: str, message: str, span: Span | None, label: str, close: str | None, notes: tuple[str, ...] = ()
) -> Diagnostic:
    if close is None:
        return error(code, message, span, label, notes)
    fix = Fix(f"write `{close}`", (Edit(span, close),)) if span is not None else None
    return error(code, message, span, label, notes, (f"did you mean `{close}`?",), fix)


def _missing(operator: type[Operator], names: list[str], call: Call) -> Diagnostic:
    listed = " and ".join(f"`{name}`" for name in names)
    return error(
        "E0225",
        f"{operator.name} needs {listed}",
        call.span,
        "missing here",
        helps=(f"write `{operator.name}({names[0]}: …)`",),
    )


def _surplus(
    operator: type[Operator], known: list[str], argument: Argument, name: str | None, call: Call
) -> Diagnostic:
    span = argument.span or argument.value.span
    if name is not None:
        return error(
            "E0224", f"`{name}` of {operator.name} is given twice", span, "given again", helps=("keep one of them",)
        )
    takes = ", ".join(known) if known else "no parameters"
    most = f"{len(known)} value{'s' if len(known) != 1 else ''}"
    pair = [given.value.value for given in call.arguments if isinstance(given.value, Quantity)]
    helps = ()
    if known == ["size"] and len(pair) == 2:
        helps = (f"did you mean `{operator.name}({_decimal(pair[0])}x{_decimal(pair[1])})`?",)
    message = f"{operator.name} takes {most} at most"
    return error("E0224", message, span, "one too many", (f"it takes {takes}",), helps)


def _out_of_range(
    operator: type[Operator], where: tuple[int | str, ...], complaint: str, given: dict[str, Argument], call: Call
) -> Diagnostic:
    name = str(where[0]) if where else ""
    argument = given.get(name)
    span = argument.value.span if argument else call.span
    said = complaint.removeprefix("Input should be ").removeprefix("Value error, ")
    what = f"`{name}` of {operator.name} must be {said}" if name else f"{operator.name}: {said}"
    return error("E0223", what, span, said)


def _name_span(call: Call) -> Span | None:
    return _first(call.span, len(call.name))


def _argument_span(argument: Argument) -> Span | None:
    return _first(argument.span, len(argument.name or ""))


def _first(span: Span | None, length: int) -> Span | None:
    """The first `length` characters of a span that does not break inside them."""
    if span is None:
        return None
    stop = min(span.start + length, span.end)
    return Span(span.start, stop, span.line, span.column, span.line, span.column + stop - span.start, span.file)
