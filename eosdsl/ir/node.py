"""What every node of a program is: a frozen record with keyword arguments, made to be cheap.

A node is a plain dataclass, so pydantic takes it in its own models and reads and writes it as JSON; but pydantic is
only imported where that is asked for. Loading it and building its validators costs more than checking a spec does.
What is built in Python is trusted (pyright reads the annotations), what comes from outside is validated by
`eosdsl.ir.serde`, and `eosdsl.ir.verify` says what a program must hold beyond its types.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar, Self, dataclass_transform

from eosdsl.source import Span

_MISSING = dataclasses.MISSING
_PLAIN = frozenset({"str", "int", "bool", "Fraction", "str | None", "int | None", "Fraction | None", "Span | None"})


@dataclass_transform(kw_only_default=True, frozen_default=True, eq_default=False)
class _Record:
    """Tells type checkers how the classes below it are made."""


class Node(_Record):
    """A frozen IR node. The span says where it was written; it takes no part in equality or hashing."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    FIELDS: ClassVar[tuple[str, ...]] = ()
    """All fields, the span first; `COMPARED` are those that equality reads, `REQUIRED` those without a default, and
    `NESTED` those that may hold other nodes, the last first."""

    BLANK: ClassVar[Mapping[str, Any]] = {}
    REQUIRED: ClassVar[frozenset[str]] = frozenset()
    COMPARED: ClassVar[tuple[str, ...]] = ()
    NESTED: ClassVar[tuple[str, ...]] = ()

    span: Span | None = dataclasses.field(default=None, repr=False)

    def __init_subclass__(cls) -> None:
        _describe(cls)

    def __init__(self, **given: Any) -> None:
        values = self.__dict__
        values |= self.BLANK
        values |= given
        if len(values) != len(self.FIELDS) or not self.REQUIRED.issubset(given):
            raise TypeError(_misfit(type(self), given))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        mine, theirs = self.__dict__, other.__dict__
        return all(mine[name] == theirs[name] for name in self.COMPARED)

    def __hash__(self) -> int:
        return hash((type(self), *[self.__dict__[name] for name in self.COMPARED]))

    def __repr__(self) -> str:
        inner = ", ".join(f"{name}={self.__dict__[name]!r}" for name in self.COMPARED)
        return f"{type(self).__name__}({inner})"

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self:
        """The same node with some fields replaced."""
        return type(self)(**(self.__dict__ | dict(update or {})))

    @classmethod
    def model_validate(cls, values: Any) -> Self:
        """The node of a mapping. Raises pydantic's ValidationError where a value does not fit its field."""
        return _adapter(cls).validate_python(values)


class ByKind:
    """In `Annotated[A | B, BY_KIND]`: the field `kind` says which of them a value is. Read by pydantic alone."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:
        from typing import Annotated

        from pydantic import Field

        return handler.generate_schema(Annotated[source, Field(discriminator="kind")])


BY_KIND = ByKind()


def _describe(node: type[Node]) -> None:
    """Make a dataclass of the class, and remember its fields where `__init__` and `__eq__` look for them."""
    dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False)(node)
    fields = dataclasses.fields(node)  # pyright: ignore[reportArgumentType] it became one in the line above
    node.FIELDS = tuple(field.name for field in fields)
    node.BLANK = {field.name: field.default for field in fields}
    node.REQUIRED = frozenset(field.name for field in fields if field.default is _MISSING)
    node.COMPARED = tuple(name for name in node.FIELDS if name != "span")
    node.NESTED = tuple(field.name for field in reversed(fields) if not _is_plain(field.type))


def _is_plain(annotation: object) -> bool:
    """Whether a field is surely no node and no tuple of nodes. Annotations are texts here."""
    return isinstance(annotation, str) and (annotation.startswith("Literal[") or annotation in _PLAIN)


def _misfit(node: type[Node], given: Mapping[str, Any]) -> str:
    unknown = [name for name in given if name not in node.BLANK]
    missing = sorted(node.REQUIRED - given.keys())
    reasons = [f"has no {', '.join(unknown)}"] if unknown else []
    reasons += [f"needs {', '.join(missing)}"] if missing else []
    return f"{node.__name__} {' and '.join(reasons)}"


@cache
def _adapter(node: type[Any]) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(node)


_describe(Node)
