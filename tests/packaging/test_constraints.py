"""constraints.txt pins everything that `make setup` installs, at versions that pyproject.toml accepts."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = ("dev", "demo")  # what the Makefile installs


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def direct() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    return [Requirement(text) for text in (*PROJECT["dependencies"], *(one for name in EXTRAS for one in extras[name]))]


def closure() -> set[str]:
    """Every package that is needed here, directly or not, as the installed packages declare it."""
    todo, seen = direct(), set[tuple[str, frozenset[str]]]()
    while todo:
        requirement = todo.pop()
        name, extras = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, extras) in seen:
            continue
        try:
            declared = requires(name) or []
        except PackageNotFoundError:
            continue  # for another platform or Python
        seen.add((name, extras))
        for text in declared:
            further = Requirement(text)
            wanted = further.marker is None or any(further.marker.evaluate({"extra": e}) for e in (*extras, ""))
            if wanted:
                todo.append(further)
    return {name for name, _ in seen}


def test_direct_dependencies_are_pinned_within_their_ranges() -> None:
    pinned = pins()
    for requirement in direct():
        name = canonicalize_name(requirement.name)
        assert name in pinned, f"{name} is not in constraints.txt"
        assert requirement.specifier.contains(pinned[name]), f"{name}=={pinned[name]} is outside {requirement}"


def test_what_they_need_is_pinned_too() -> None:
    assert closure() - set(pins()) == set()


def test_torch_is_the_version_that_everything_was_checked_on() -> None:
    assert pins()["torch"] == "2.13.0"


def test_the_makefile_installs_these_extras() -> None:
    (installed,) = re.findall(r"--editable '\.\[(.*?)\]'", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert tuple(installed.split(",")) == EXTRAS
