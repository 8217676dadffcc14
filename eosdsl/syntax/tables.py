"""The parse tables, loaded from the JSON that `eosdsl.syntax.generate` writes: no lark and no grammar at run time."""

from __future__ import annotations

import json
import re
from functools import cache
from typing import NamedTuple

from eosdsl.resources import resource
from eosdsl.syntax.record import Record

END = "$END"


class Production(NamedTuple):
    """A rule of the grammar. `action` empty: its one symbol stands for it; `*`: a repetition, gathered into a list.

    `shape` says which of the `length` symbols are the children: an index, None for an optional part that is missing,
    ~index for a repetition whose items are children; `plain` is the same where there is no repetition, with `length`,
    the index of a None behind the symbols, for a missing part.
    """

    origin: str
    action: str
    length: int
    shape: tuple[int | None, ...]
    plain: tuple[int, ...] | None


class Tables(Record):
    """The machine. Terminals go by their text or their name (`at`, `NAME`), nonterminals in angle brackets.

    `states[s][symbol]` is the next state (>= 0), or -1 - the number of the production to reduce by.
    `pattern` matches any one token; what it matches as NAME is a keyword where the state asks for that keyword.
    """

    pattern: re.Pattern[str]
    keywords: frozenset[str]
    starts: dict[str, int]
    productions: tuple[Production, ...]
    states: tuple[dict[str, int], ...]


@cache
def load() -> Tables:
    """The tables of the language as it ships."""
    raw = json.loads((resource("grammar") / "eos.tables.json").read_text(encoding="utf-8"))
    return Tables(
        pattern=re.compile(raw["pattern"]),
        keywords=frozenset(raw["keywords"]),
        starts=raw["starts"],
        productions=tuple(Production(o, a, n, tuple(shape), _plain(n, shape)) for o, a, n, shape in raw["rules"]),
        states=tuple(raw["states"]),
    )


def _plain(length: int, shape: list[int | None]) -> tuple[int, ...] | None:
    indices = tuple(length if index is None else index for index in shape)
    return None if any(index < 0 for index in indices) else indices
