"""`facts(model)`: everything the language needs to know of a model, from whatever names or describes one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.models.facts import ModelFacts
from eosdsl.models.find import find_model, trained
from eosdsl.models.profile import Profile
from eosdsl.models.profiles import profile_of_type, profiles, shipped


def facts(model: Any) -> ModelFacts:
    """Facts of a model.

    Args:
        model: a shipped name (`llava`), a local folder or config file, a hub id, a config as a mapping, a transformers
            config or model object (anything with `to_dict()`, or with a `config` that has it), or facts themselves.

    Raises:
        SpecError: E064x where it names nothing, cannot be read, or is of a family that has no profile.
    """
    if isinstance(model, ModelFacts):
        return model
    if isinstance(model, (str, os.PathLike)):
        found = find_model(model)  # pyright: ignore[reportUnknownArgumentType]  # PathLike of anything
        return facts_of_config(found.config, found.name)
    if isinstance(model, Mapping):
        return facts_of_config(model)
    return _facts_of_object(model)


def names() -> tuple[str, ...]:
    """Names and aliases of the models that come with the package, by their configs alone or with weights."""
    return (*shipped(), *trained())


def profile_for(model: Any) -> Profile:
    """The profile of the family that a model (as in `facts`) belongs to."""
    return profiles()[facts(model).family]


def facts_of_config(config: Mapping[str, Any], name: str = "") -> ModelFacts:
    """Facts from a config as JSON gives it. Raises SpecError: E0644 unsupported type, E0645 unusable values."""
    kind = config.get("model_type")
    name = name or _own_name(config)
    if not isinstance(kind, str):
        raise SpecError([error("E0645", f"the config of {name or 'the model'} has no `model_type`")])
    profile = profile_of_type(kind)
    if profile is None:
        raise _unsupported(kind, name)
    return profile.facts(dict(config), name)


def _facts_of_object(model: Any) -> ModelFacts:
    holder = model if hasattr(model, "to_dict") else getattr(model, "config", None)
    if holder is None or not hasattr(holder, "to_dict"):
        raise SpecError([error("E0642", f"this is no model, no config and no name of one: {type(model).__name__}")])
    config: dict[str, Any] = {"model_type": getattr(holder, "model_type", None), **holder.to_dict()}
    if holder is not model and getattr(model, "dtype", None) is not None:
        config["dtype"] = str(model.dtype)  # what it holds now, whatever it was saved as
    return facts_of_config(config, _own_name({"_name_or_path": getattr(holder, "name_or_path", "")}))


def _own_name(config: Mapping[str, Any]) -> str:
    given = str(config.get("_name_or_path") or "")
    return Path(given).name if Path(given).is_absolute() else given


def _unsupported(kind: str, name: str) -> SpecError:
    types = [one for profile in profiles().values() for one in profile.model_types]
    near = get_close_matches(kind, types, n=1)
    helps = (f"the nearest that has one is `{near[0]}`",) if near else ()
    what = f"{name} is a `{kind}`" if name else f"this is a `{kind}`"
    return SpecError(
        [error("E0644", f"{what}, a model type without a profile", notes=("known: " + ", ".join(types),), helps=helps)]
    )
