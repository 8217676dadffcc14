"""Sets of specs under one name: `--suite methods` is every published method that comes with the package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from eosdsl.diagnostics import SpecError, error
from eosdsl.evaluating.sides import Candidate
from eosdsl.models.registry import facts
from eosdsl.reading import read_source
from eosdsl.resources import resource

HOME = "llava-1.5-7b"
_OTHER_HOMES = {"aim": "qwen2-vl-7b", "aim_as_published": "qwen2-vl-7b"}
"""Methods whose layers were counted on a decoder of 28 layers, as Qwen2-7B's is."""


def candidate_of(path: Path, written_for: str | None = None, learned: str | None = None) -> Candidate:
    """A file; `written_for`: the model whose layers and tokens it counts, None: the one at hand; `learned`: where the
    numbers of its learned scores are.

    Raises:
        SpecError: E060x where it cannot be read, E064x where no such model is known.
    """
    return Candidate(path.stem, read_source(path), None if written_for is None else facts(written_for), learned)


def suite_of(name: str) -> list[Candidate]:
    """The specs of a suite. Raises SpecError (E0687) where there is none of this name."""
    if name not in SUITES:
        helps = (f"known: {', '.join(SUITES)}",)
        raise SpecError([error("E0687", f"there is no suite `{name}`", helps=helps)])
    return SUITES[name]()


def _methods(*, published: bool) -> list[Candidate]:
    paths = sorted((resource("specs") / "methods").glob("*.eos"))
    return [
        candidate_of(path, _OTHER_HOMES.get(path.stem, HOME))
        for path in paths
        if published or not path.stem.endswith("_as_published")
    ]


SUITES: Mapping[str, Callable[[], list[Candidate]]] = {
    "methods": lambda: _methods(published=True),
    "clean-methods": lambda: _methods(published=False),
}
