"""What the parameters of an operator accept, read from its field annotations: for binding, pages and completion."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from eosdsl.operators.base import Operator, Pick, Score, Similarity, Support
from eosdsl.operators.registry import Kind, operators

_KIND_OF: tuple[tuple[type[Operator], Kind], ...] = (
    (Score, "scores"),
    (Similarity, "similarities"),
    (Support, "supports"),
    (Pick, "picks"),
)


@dataclass(frozen=True)
class Nested:
    """A parameter takes an operator: any of a kind, or one certain class that only exists there (`heads: top(14)`)."""

    kind: Kind | None = None
    only: type[Operator] | None = None

    def names(self) -> tuple[str, ...]:
        if self.only is not None:
            return (self.only.name,)
        return tuple(operators(self.kind)) if self.kind else ()


@dataclass(frozen=True)
class Accepts:
    """What may stand for a parameter. `number`: "int", "real" (`exact` for a Fraction); `name`: any word."""

    words: tuple[str, ...] = ()
    name: bool = False
    number: Literal["int", "real"] | None = None
    exact: bool = False
    dims: bool = False
    switch: bool = False
    nested: tuple[Nested, ...] = ()

    def describe(self) -> str:
        """For people: `last, cls or text`, `a whole number`, `a size like 2x2`."""
        parts = [*self.words]
        parts += ["a name"] if self.name else []
        parts += ["yes", "no"] if self.switch else []
        parts += {"int": ["a whole number"], "real": ["a number"], None: []}[self.number]
        parts += ["a size like 2x2"] if self.dims else []
        for nested in self.nested:
            parts += [f"{name}(…)" if nested.only else name for name in nested.names()]
        if len(parts) < 2:
            return "".join(parts)
        return ", ".join(parts[:-1]) + " or " + parts[-1]


@dataclass(frozen=True)
class Parameter:
    """One parameter as the language documents it; `default` is text, None where the parameter is required."""

    name: str
    accepts: Accepts
    default: str | None
    description: str

    @property
    def required(self) -> bool:
        return self.default is None


def parameters(operator: type[Operator]) -> tuple[Parameter, ...]:
    """The parameters of an operator in the order in which values without a name fill them: its own, then inherited."""
    own = operator.__annotations__
    fields = sorted(operator.model_fields.items(), key=lambda item: item[0] not in own)
    return tuple(_parameter(name, field) for name, field in fields)


def _parameter(name: str, field: FieldInfo) -> Parameter:
    default = None if field.is_required() else _default_text(field.get_default(call_default_factory=True))
    return Parameter(name, accepts(field.annotation), default, field.description or "")


def _default_text(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, Operator):
        return value.name
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return "x".join(str(part) for part in value)
    return str(value)


def accepts(annotation: Any) -> Accepts:
    """What an annotation accepts: words from Literal, numbers, `tuple[int, int]` as dims, operators by class."""
    found = Accepts()
    for member in _members(annotation):
        found = _join(found, _single(member))
    return found


def _members(annotation: Any) -> tuple[Any, ...]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return tuple(member for part in get_args(annotation) for member in _members(part))
    return (annotation,)


def _single(annotation: Any) -> Accepts:
    if annotation is NoneType:
        return Accepts()
    if get_origin(annotation) is Literal:
        return Accepts(words=get_args(annotation))
    if get_origin(annotation) is tuple:
        return Accepts(dims=True)
    if annotation is str:
        return Accepts(name=True)
    if annotation is bool:
        return Accepts(switch=True)
    if annotation is int:
        return Accepts(number="int")
    if annotation in (float, Fraction):
        return Accepts(number="real", exact=annotation is Fraction)
    if isinstance(annotation, type) and issubclass(annotation, Operator):
        return Accepts(nested=(_nested(annotation),))
    raise TypeError(f"the language has no values for a parameter of type {annotation!r}")


def _nested(annotation: type[Operator]) -> Nested:
    for base, kind in _KIND_OF:
        if annotation is base:
            return Nested(kind=kind)
    return Nested(only=annotation)


def _join(left: Accepts, right: Accepts) -> Accepts:
    return Accepts(
        words=left.words + right.words,
        name=left.name or right.name,
        number="real" if "real" in (left.number, right.number) else left.number or right.number,
        exact=left.exact or right.exact,
        dims=left.dims or right.dims,
        switch=left.switch or right.switch,
        nested=left.nested + right.nested,
    )
