"""Who offers which operator: entry points, one door for built-ins and plugins, loaded when first used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Literal, overload

from eosdsl.diagnostics import SpecError, error
from eosdsl.doors import EntryPoint
from eosdsl.operators.base import Behaviour, Budget, Operator, Pick, Score, Similarity, Support
from eosdsl.operators.kinds import KINDS as KINDS
from eosdsl.operators.kinds import SINGULAR, Kind, doors


class Registry(Mapping[str, type[Operator]]):
    """The operators of one kind by name; a class is imported when its name is looked up."""

    def __init__(self, kind: Kind) -> None:
        self.kind: Kind = kind
        self._doors = doors(kind)
        self._loaded: dict[str, type[Operator]] = {}

    def __getitem__(self, name: str) -> type[Operator]:
        if name not in self._loaded:
            self._loaded[name] = _load(self._doors[name], self.kind)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._doors))

    def __len__(self) -> int:
        return len(self._doors)

    def __contains__(self, name: object) -> bool:
        return name in self._doors


@overload
def operators(kind: Literal["scores"]) -> Mapping[str, type[Score]]: ...
@overload
def operators(kind: Literal["picks"]) -> Mapping[str, type[Pick]]: ...
@overload
def operators(kind: Literal["behaviours"]) -> Mapping[str, type[Behaviour]]: ...
@overload
def operators(kind: Literal["similarities"]) -> Mapping[str, type[Similarity]]: ...
@overload
def operators(kind: Literal["supports"]) -> Mapping[str, type[Support]]: ...
@overload
def operators(kind: Literal["budgets"]) -> Mapping[str, type[Budget]]: ...
@overload
def operators(kind: Kind) -> Mapping[str, type[Operator]]: ...
def operators(kind: Kind) -> Mapping[str, Any]:
    """All operators of a kind, built in or from plugins; SpecError (E0227) when one that is used does not load."""
    return _registry(kind)


@cache
def _registry(kind: Kind) -> Registry:
    return Registry(kind)


def _load(door: EntryPoint, kind: Kind) -> type[Operator]:
    try:
        found: object = door.load()
    except Exception as problem:
        raise SpecError([_unloadable(door, kind, f"{type(problem).__name__}: {problem}")]) from problem
    if not (isinstance(found, type) and issubclass(found, Operator)):
        raise SpecError([_unloadable(door, kind, f"{door.value} is not an eosdsl operator class")])
    return found


def _unloadable(door: EntryPoint, kind: Kind, reason: str):
    package = door.package or "an installed package"
    return error(
        "E0227",
        f"{SINGULAR[kind]} `{door.name}` cannot be loaded",
        notes=(f"{package} offers it as {door.value}", reason),
        helps=("repair or uninstall that package",),
    )
