"""The families that are known: entry points of the group `eosdsl.models`, built-ins and plugins by the same door."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType

from eosdsl.diagnostics import SpecError, error
from eosdsl.doors import EntryPoint, entry_points
from eosdsl.models.profile import Profile, Shipped


@cache
def profiles() -> Mapping[str, Profile]:
    """All profiles by family name, in alphabetical order. Raises SpecError (E0648) where one does not load."""
    doors = sorted(entry_points(group="eosdsl.models"), key=lambda door: door.name)
    return MappingProxyType({profile.family: profile for profile in map(_load, doors)})


@cache
def shipped() -> Mapping[str, Shipped]:
    """Models whose configs come with the package, by name and by alias; every model's own name comes first."""
    models = [model for profile in profiles().values() for model in profile.shipped]
    named = {model.name: model for model in models}
    return MappingProxyType({**named, **{alias: model for model in models for alias in model.aliases}})


def profile_of_type(model_type: str) -> Profile | None:
    """The profile that takes configs of this `model_type`, or None."""
    return next((profile for profile in profiles().values() if model_type in profile.model_types), None)


def _load(door: EntryPoint) -> Profile:
    try:
        found: object = door.load()
    except Exception as problem:
        raise SpecError([_unloadable(door, f"{type(problem).__name__}: {problem}")]) from problem
    if not isinstance(found, Profile):
        raise SpecError([_unloadable(door, f"{door.value} is not a Profile")])
    return found


def _unloadable(door: EntryPoint, reason: str):
    package = door.package or "an installed package"
    return error(
        "E0648",
        f"model family `{door.name}` cannot be loaded",
        notes=(f"{package} offers it as {door.value}", reason),
        helps=("repair or uninstall that package",),
    )
