"""Which rules there are: entry points of the group `eosdsl.rules`, so that built-ins and plugins share a door."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.rules.base import Rule, Subject, reports

CODES = {
    "E0612": """A rule could not be loaded, or failed.

    A package offers this rule by an entry point of the group `eosdsl.rules`, but importing it or running it raised an
    exception. The other rules ran. Repair or remove that package; for a rule of eosdsl itself, please report it.
    """,
}

GROUP = "eosdsl.rules"


def rules() -> tuple[Rule, ...]:
    """The rules that load, sorted by code."""
    return _loaded()[0]


def run_rules(subject: Subject) -> Iterator[Diagnostic]:
    """The findings of all rules. A rule that fails is a finding itself, never an exception."""
    loaded, broken = _loaded()
    yield from broken
    for rule in loaded:
        try:
            yield from list(reports(rule, subject))
        except Exception as problem:
            yield _failure(f"the rule {rule.code} ({rule.name}) failed", rule.__module__, problem)


@cache
def _loaded() -> tuple[tuple[Rule, ...], tuple[Diagnostic, ...]]:
    loaded: list[Rule] = []
    broken: list[Diagnostic] = []
    for door in entry_points(group=GROUP):
        try:
            loaded.append(_load(door))
        except Exception as problem:
            broken.append(_failure(f"the rule `{door.name}` cannot be loaded", door.value, problem))
    return tuple(sorted(loaded, key=lambda rule: rule.code)), tuple(broken)


def _load(door: EntryPoint) -> Rule:
    found: object = door.load()
    if not (isinstance(found, type) and issubclass(found, Rule)):
        raise TypeError(f"{door.value} is not a subclass of eosdsl.rules.base.Rule")
    return found()


def _failure(message: str, origin: str, problem: Exception) -> Diagnostic:
    reason = " ".join(f"{type(problem).__name__}: {problem}".split())
    return error("E0612", message, notes=(f"it comes from {origin}", reason), helps=("repair or remove that package",))
