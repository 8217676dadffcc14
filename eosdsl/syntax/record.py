"""Frozen records with slots, for the many small classes of the syntax tree.

They are what `@dataclass(frozen=True, slots=True)` would make of them, without the millisecond that it takes for each
class to write and compile its methods: a one-line check would spend a third of its time there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, dataclass_transform

_Setter = Callable[[Any, Any], None]


@dataclass_transform(frozen_default=True)
class _RecordType(type):
    """Makes a slot of every annotated name of the class."""

    def __new__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any]) -> _RecordType:
        fields = tuple(field for field in namespace.get("__annotations__", ()) if field.islower())
        namespace["FIELDS"] = namespace["__match_args__"] = fields
        namespace["DEFAULTS"] = {field: namespace.pop(field) for field in fields if field in namespace}
        namespace["__slots__"] = fields
        made = super().__new__(cls, name, bases, namespace)
        made.setters = tuple(made.__dict__[field].__set__ for field in fields)
        made.compared = tuple(field for field in fields if field not in made.APART)
        return made

    APART: ClassVar[frozenset[str]]
    setters: tuple[_Setter, ...]
    compared: tuple[str, ...]


class Record(metaclass=_RecordType):
    """A frozen record. Fields named in `APART` (the span) take no part in equality, hash and repr."""

    APART = frozenset({"span"})
    FIELDS: ClassVar[tuple[str, ...]]
    DEFAULTS: ClassVar[dict[str, Any]]

    def __init__(self, *values: Any, **named: Any) -> None:
        setters = type(self).setters
        if named or len(values) != len(setters):
            values = self._complete(values, named)
        for setter, value in zip(setters, values):  # noqa: B905 they are as many, and asking again takes time
            setter(self, value)

    @classmethod
    def _complete(cls, values: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, ...]:
        rest = cls.FIELDS[len(values) :]
        unknown = named.keys() - set(rest)
        missing = [field for field in rest if field not in named and field not in cls.DEFAULTS]
        if unknown or missing or len(values) > len(cls.FIELDS):
            raise TypeError(f"{cls.__name__} takes {', '.join(cls.FIELDS)}")
        return (*values, *(named.get(field, cls.DEFAULTS.get(field)) for field in rest))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, field) == getattr(other, field) for field in type(self).compared)

    def __hash__(self) -> int:
        return hash((type(self), *(getattr(self, field) for field in type(self).compared)))

    def __repr__(self) -> str:
        inner = ", ".join(f"{field}={getattr(self, field)!r}" for field in type(self).compared)
        return f"{type(self).__name__}({inner})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple(getattr(self, field) for field in self.FIELDS)
