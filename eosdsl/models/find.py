"""From what a person writes after `--model` to a config: a shipped name, a folder, a file, or a hub id."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.models.hub import hub_config, is_hub_id
from eosdsl.models.profiles import shipped
from eosdsl.reading import os_error_diagnostic

CONFIGS = Path(__file__).resolve().parent / "configs"
TRAINED = Path(__file__).resolve().parents[1] / "zoo" / "weights"
"""Folders of the models that come with the package, weights and all, each under its name."""


@dataclass(frozen=True)
class Found:
    """A model's config, and where its weights may lie: a local `folder`, a `hub_id`, or nowhere (shipped configs)."""

    name: str
    config: Mapping[str, Any]
    folder: Path | None = None
    hub_id: str | None = None

    def weights(self) -> str:
        """Their folder or hub id. Raises SpecError (E0435) where the model is known by its config alone."""
        place = self.folder or self.hub_id
        if place is None:
            helps = ("give a folder with weights and a processor",)
            message = f"{self.name} is known by its config alone: it has no weights"
            raise SpecError([error("E0435", message, helps=helps)])
        return str(place)


def find_model(model: str | os.PathLike[str]) -> Found:
    """The config that a name, folder, config file or hub id stands for. A name of the package's comes before a folder.

    Raises:
        SpecError: E0641 no such folder, E0642 unknown name, E0643 a folder without config, E0646 broken JSON, E0647 a
            hub id out of reach.
    """
    text = os.fspath(model)
    known = shipped()
    if text in known:
        return Found(known[text].name, read_config(CONFIGS / known[text].file))
    if text in trained():
        return Found(text, read_config(TRAINED / text / "config.json"), TRAINED / text)
    path = Path(text).expanduser()
    if _exists(path):
        return _local(path)
    if isinstance(model, os.PathLike) or _looks_like_path(text):
        raise SpecError([error("E0641", f"no such model folder: {text}")])
    if is_hub_id(text):
        return Found(text, read_config(hub_config(text)), hub_id=text)
    raise _unknown(text, (*known, *trained()))


@cache
def trained() -> tuple[str, ...]:
    """Names of the models that come with the package, weights and all."""
    return tuple(sorted(path.parent.name for path in TRAINED.glob("*/config.json")))


def read_config(path: Path) -> dict[str, Any]:
    """A config file's JSON object. Raises SpecError: E060x where it cannot be read, E0646 where it is not JSON."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except OSError as problem:
        raise SpecError([os_error_diagnostic(problem, path)]) from problem
    except (ValueError, RecursionError) as problem:
        where = f"line {problem.lineno}: {problem.msg}" if isinstance(problem, json.JSONDecodeError) else str(problem)
        raise SpecError([error("E0646", f"{path} is not valid JSON", notes=(where,))]) from problem
    if not isinstance(values, dict):
        raise SpecError([error("E0646", f"{path} holds a {type(values).__name__}, not a config object")])
    return values


def _local(path: Path) -> Found:
    if path.is_file():
        return Found(path.resolve().parent.name, read_config(path), path.parent)
    if not (path / "config.json").exists():
        raise SpecError([_no_config(path)])
    return Found(path.resolve().name, read_config(path / "config.json"), path)


def _no_config(path: Path):
    helps = ("give the folder that save_pretrained wrote, or a shipped name (`eosdsl models`)",)
    if (path / "eos_config.json").exists():
        helps = ("this folder holds a compiled operator: name the model that it is applied to",)
    return error("E0643", f"{path} has no config.json: it is not a model folder", helps=helps)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or holds a NUL
        return False


def _looks_like_path(text: str) -> bool:
    return text.startswith((".", "/", "~", os.sep)) or text.endswith((".json", "/")) or text.count("/") > 1


def _unknown(text: str, known: tuple[str, ...]) -> SpecError:
    near = get_close_matches(text.lower(), known, n=1)
    helps = (f"did you mean `{near[0]}`?",) if near else ()
    names = "known names: " + ", ".join(known)
    return SpecError(
        [error("E0642", f"unknown model `{text}`", notes=(names, "or give a local folder or a hub id"), helps=helps)]
    )
