"""What is known ahead about calls of the built-in operators, so that checking a spec need not import them.

`verdicts.json` is generated (`python -m eosdsl.operators.verdicts`, its freshness is tested): for every built-in
operator the calls with at most two arguments that are plain words and that bind without a finding, as they are written
(`query: last`), and traits of the operator that they bind to. Whatever stands there is right; what does not (numbers,
nested calls, plugins, mistakes) is bound in full.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import Literal

from eosdsl.ir.quantities import Argument, Call, Word
from eosdsl.operators.kinds import KINDS, Kind, doors

FILE = Path(__file__).with_name("verdicts.json")


Trait = Literal["reads previous", "reads score", "absorbs"]
"""What is said of operators: one that reads attention, keys or values of the layer before its site; a pick or budget
that looks at the scores; a behaviour whose anchors take others in."""


def traits(kind: Kind, call: Call) -> frozenset[Trait] | None:
    """The traits of a call that is right; None where it has findings or leaves something open."""
    known = known_traits(kind, call)
    return _traits_of(kind, call) if known is None else known


def known_traits(kind: Kind, call: Call) -> frozenset[Trait] | None:
    """The traits of a call that is known to be right ahead; None where it has to be bound."""
    door = doors(kind).get(call.name)
    rows = _table().get(door.value) if door is not None else None
    words = _words(call)
    return None if rows is None or words is None else rows.get(words)


def verdicts_text() -> str:
    """What `verdicts.json` should hold."""
    rows = {
        door.value: dict(_right_calls(kind, door.name))
        for kind in KINDS
        for door in doors(kind).values()
        if door.package == "eosdsl"
    }
    return json.dumps(rows, indent=1, sort_keys=True) + "\n"


def _words(call: Call) -> str | None:
    """The arguments as they are written, None where one is not a plain word."""
    parts: list[str] = []
    for argument in call.arguments:
        value = argument.value
        if not isinstance(value, Word):
            return None
        parts.append(value.name if argument.name is None else f"{argument.name}: {value.name}")
    return ", ".join(parts)


def _right_calls(kind: Kind, name: str) -> Iterator[tuple[str, list[Trait]]]:
    for arguments in _word_arguments(kind, name):
        call = Call(name=name, arguments=arguments)
        found, words = _traits_of(kind, call), _words(call)
        if found is not None and words is not None:
            yield words, sorted(found)


def _word_arguments(kind: Kind, name: str) -> Iterator[tuple[Argument, ...]]:
    """None, one and two words, by name or, the first, by place."""
    from eosdsl.operators.parameters import parameters
    from eosdsl.operators.registry import operators

    offered = {
        parameter.name: [Word(name=word) for word in parameter.accepts.words + ("yes", "no") * parameter.accepts.switch]
        for parameter in parameters(operators(kind)[name])
    }
    yield ()
    for place, (parameter, words) in enumerate(offered.items()):
        for word in words:
            yield (Argument(name=parameter, value=word),)
            if place == 0:
                yield (Argument(value=word),)
    for (first, words), (second, others) in combinations(offered.items(), 2):
        for word in words:
            yield from ((Argument(name=first, value=word), Argument(name=second, value=other)) for other in others)


def _traits_of(kind: Kind, call: Call) -> frozenset[Trait] | None:
    from eosdsl.operators.base import Absorbing, Budget, Operator, Pick
    from eosdsl.operators.binding import bind_call

    bound, _ = bind_call(kind, call)
    if not isinstance(bound, Operator):
        return None
    found: set[Trait] = set()
    if _reads_previous(bound.probes()):
        found.add("reads previous")
    if isinstance(bound, Pick | Budget) and bound.uses_score:
        found.add("reads score")
    if isinstance(bound, Absorbing):
        found.add("absorbs")
    return frozenset(found)


def _reads_previous(probes: Iterable[object]) -> bool:
    from eosdsl.operators.base import AttentionProbe, KeysProbe, ValuesProbe

    return any(
        probe.layer == "previous" if isinstance(probe, AttentionProbe) else isinstance(probe, KeysProbe | ValuesProbe)
        for probe in probes
    )


@cache
def _table() -> Mapping[str, Mapping[str, frozenset[Trait]]]:
    try:
        table: dict[str, dict[str, list[Trait]]] = json.loads(FILE.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # without it every call is bound
    return {value: {words: frozenset(found) for words, found in rows.items()} for value, rows in table.items()}


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(FILE.read_text(encoding="utf-8") != verdicts_text())
    FILE.write_text(verdicts_text(), encoding="utf-8")
