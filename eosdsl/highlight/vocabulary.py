"""The words of the language that are not keywords: names of operators, of what they take, of options and measures.

They come from the registry and from the tables of the passes, so that a new operator is coloured and completed at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

from eosdsl.diagnostics import SpecError
from eosdsl.doors import entry_points
from eosdsl.operators.parameters import Accepts, parameters
from eosdsl.operators.registry import KINDS, Kind, operators
from eosdsl.passes.curves import CURVES
from eosdsl.passes.resolve_operators import known_names
from eosdsl.passes.resolve_options import OPTIONS
from eosdsl.passes.resolve_space import MEASURES, OBJECTIVES, OPTIMISERS

# Words that the grammar leaves to names and the passes give a meaning.
BASES = ("incoming", "original")
SWITCH = ("yes", "no")
EVERYTHING = "all"


@dataclass(frozen=True)
class Vocabulary:
    """Names by what they are, each sorted."""

    operators: tuple[str, ...]
    measures: tuple[str, ...]
    words: tuple[str, ...]
    families: tuple[str, ...]


@cache
def vocabulary(*, plugins: bool = True) -> Vocabulary:
    """All words that are known here; without `plugins` only those that come with eosdsl."""
    names = {name for kind in KINDS for name in _names(kind, plugins)} | set(CURVES)
    measures = {*MEASURES, *OBJECTIVES}
    words = {*BASES, *SWITCH, EVERYTHING, *OPTIMISERS, *OPTIONS}
    words |= {word for option in OPTIONS.values() for word in option.words}
    words |= {word for _, arguments in MEASURES.values() for word in arguments}
    words |= {word for arguments in OBJECTIVES.values() for word in arguments}
    for kind in KINDS:
        words |= set(_words(kind, _names(kind, plugins)))
    words = {word for word in words if word.isidentifier()} - names - measures
    return Vocabulary(*map(_sorted, (names, measures, words, _families(plugins))))


def _sorted(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(words))


def _names(kind: Kind, plugins: bool) -> frozenset[str]:
    """Names of a kind; those that the language has and nobody offers yet count as well."""
    if plugins:
        return known_names(kind)
    return known_names(kind) - frozenset(operators(kind)) | _own_doors(f"eosdsl.{kind}")


def _own_doors(group: str) -> frozenset[str]:
    """Names of a group of entry points that eosdsl itself offers."""
    return frozenset(door.name for door in entry_points(group=group) if door.package == "eosdsl")


def _words(kind: Kind, names: Iterable[str]) -> Iterator[str]:
    """The words that parameters of these operators take, and the names of operators that exist only there."""
    for name in names:
        for parameter in _parameters(kind, name):
            yield from _accepted(parameter.accepts)


def _parameters(kind: Kind, name: str):
    try:
        return parameters(operators(kind)[name]) if name in operators(kind) else ()
    except SpecError:  # a plugin that does not load has no words
        return ()


def _accepted(accepts: Accepts) -> Iterator[str]:
    yield from (str(word) for word in accepts.words)
    for nested in accepts.nested:
        if nested.only is None:
            continue
        yield nested.only.name
        for parameter in parameters(nested.only):
            yield from _accepted(parameter.accepts)


def _families(plugins: bool) -> frozenset[str]:
    from eosdsl.models.profiles import profiles

    if not plugins:
        return _own_doors("eosdsl.models")
    try:
        return frozenset(profiles())
    except SpecError:
        return frozenset()
