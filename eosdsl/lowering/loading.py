"""Models from names: a folder or hub id through `from_pretrained`, a shipped name from its configuration alone."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import torch
import transformers
from transformers import CONFIG_MAPPING

from eosdsl.lowering.refusals import refuse
from eosdsl.models.find import Found, find_model
from eosdsl.models.profile import Profile
from eosdsl.models.profiles import profiles
from eosdsl.models.registry import facts_of_config


def load_model(
    name_or_path: str | os.PathLike[str],
    *,
    dtype: torch.dtype | str | None = None,
    device: torch.device | str | None = None,
) -> Any:
    """The transformers model that a name, folder or hub id stands for, in evaluation mode.

    A shipped name is built from its configuration on the meta device: it can be planned and compiled, not run.
    Otherwise weights are read in `dtype` (default: as saved) and put on `device` (default: CPU).

    Raises:
        SpecError: E064x where there is no such model, E0650 where its weights cannot be loaded, E0651 for an unknown
        dtype
            or device.
    """
    found = find_model(name_or_path)
    profile = profiles()[facts_of_config(found.config, found.name).family]
    numbers, place = _dtype(dtype), _device(device)
    source = found.folder or found.hub_id
    if source is None:
        return _empty(found, profile)
    return _loaded(str(source), found, profile, numbers, place)


def _empty(found: Found, profile: Profile) -> Any:
    config = CONFIG_MAPPING[str(found.config["model_type"])].from_dict(dict(found.config))
    with torch.device("meta"), quiet():
        model = _architecture(profile, found)(config)
    model.name_or_path = found.name
    return model.eval()


def _loaded(source: str, found: Found, profile: Profile, dtype: torch.dtype | None, device: torch.device | None) -> Any:
    name = found.name
    try:
        with quiet():
            model, report = _architecture(profile, found).from_pretrained(
                source, dtype="auto" if dtype is None else dtype, output_loading_info=True
            )
    except Exception as problem:  # missing, cut off, not a checkpoint, of another shape: each has its own exception
        reason = " ".join(str(problem).split())[:300] or type(problem).__name__
        refuse("E0650", f"the weights of {name} cannot be loaded: {reason}")
    lacking = sorted(report.get("missing_keys", ())) or sorted(str(key) for key in report.get("mismatched_keys", ()))
    if lacking:
        refuse(
            "E0650",
            f"the weights of {name} are incomplete: {len(lacking)} tensors are missing, {lacking[0]} among them",
        )
    return (model if device is None else model.to(device)).eval()


def _architecture(profile: Profile, found: Found) -> Any:
    """The class that the checkpoint says it is of, where it is one of the family's; else the family's first."""
    own = [name for name in found.config.get("architectures") or () if name in profile.also]
    name = own[0] if own else profile.architecture
    kind = getattr(transformers, name, None)
    if kind is None:
        refuse("E0650", f"transformers {transformers.__version__} has no {name}", "update transformers")
    return kind


def _dtype(dtype: torch.dtype | str | None) -> torch.dtype | None:
    if dtype is None or isinstance(dtype, torch.dtype):
        return dtype
    found = getattr(torch, dtype, None)
    if not isinstance(found, torch.dtype) or not found.is_floating_point:
        refuse("E0651", f"`{dtype}` is not a floating point type of torch", "float32, bfloat16 and float16 are")
    return found


def _device(device: torch.device | str | None) -> torch.device | None:
    if device is None:
        return None
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError, NotImplementedError) as problem:
        refuse("E0651", f"torch has no device `{device}` here: {str(problem).splitlines()[0]}")
    return place


@contextmanager
def quiet() -> Generator[None]:
    """Keep transformers from printing what becomes a diagnostic, and its progress bars."""
    logger = logging.getLogger("transformers")
    level = logger.level
    bars = transformers.utils.logging.is_progress_bar_enabled()
    logger.setLevel(logging.ERROR)
    transformers.utils.logging.disable_progress_bar()
    try:
        yield
    finally:
        logger.setLevel(level)
        if bars:
            transformers.utils.logging.enable_progress_bar()
