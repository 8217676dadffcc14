"""The families there are: built-ins and plugins enter by the same entry-point group, `eosdsl.tasks`."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points

from eosdsl.diagnostics import SpecError, error
from eosdsl.tasks.base import Family

GROUP = "eosdsl.tasks"


@cache
def families() -> Mapping[str, Family]:
    """Every family by name, in alphabetical order."""
    found = {entry.name: entry.load()() for entry in entry_points(group=GROUP)}
    return dict(sorted(found.items()))


@cache
def standard_families() -> Mapping[str, Family]:
    """What `all` stands for."""
    return {name: one for name, one in families().items() if one.in_all}


def family(name: str) -> Family:
    """The family of a name. Raises SpecError (E0660) with the names there are."""
    known = families()
    if name in known:
        return known[name]
    close = get_close_matches(name, known, n=1)
    helps = (f"did you mean `{close[0]}`?",) if close else ()
    raise SpecError([error("E0660", f"there is no task family `{name}`", helps=(*helps, f"known: {', '.join(known)}"))])
