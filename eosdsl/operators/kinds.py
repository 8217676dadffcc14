"""The kinds of operators and the names that are offered of each. Nothing is imported for a name to be known."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Literal, get_args

from eosdsl.doors import EntryPoint, entry_points

Kind = Literal["scores", "picks", "behaviours", "similarities", "supports", "budgets"]
KINDS: tuple[Kind, ...] = get_args(Kind)

SINGULAR: Mapping[Kind, str] = {
    "scores": "score",
    "picks": "pick",
    "behaviours": "behaviour",
    "similarities": "similarity",
    "supports": "support",
    "budgets": "budget",
}


@cache
def doors(kind: Kind) -> Mapping[str, EntryPoint]:
    """The entry points of a kind by name, built in or from plugins."""
    return {door.name: door for door in entry_points(group=f"eosdsl.{kind}")}
