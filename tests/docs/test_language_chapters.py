"""The chapters leave nothing of the language out: operators, curves, options, measures, settings of a search."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eosdsl.operators.registry import KINDS, operators
from eosdsl.passes.curves import CURVES
from eosdsl.passes.resolve_options import OPTIONS
from eosdsl.passes.resolve_space import MEASURES, OBJECTIVES, SETTINGS

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "language"
CHAPTERS = sorted(page for page in FOLDER.glob("*.md") if page.name != "README.md")

NAMES = {
    **{kind: tuple(operators(kind)) for kind in KINDS},
    "curves": CURVES,
    "options": (*OPTIONS, *(word for option in OPTIONS.values() for word in option.words)),
    "measures": tuple(MEASURES),
    "objectives": tuple(OBJECTIVES),
    "settings": tuple(SETTINGS),
}


@pytest.mark.parametrize("kind", NAMES)
def test_every_name_is_in_a_chapter(kind: str) -> None:
    code = " ".join(found for page in CHAPTERS for found in re.findall(r"`([^`\n]+)`", page.read_text("utf-8")))
    words = set(re.findall(r"\w+", code))
    assert not [name for name in NAMES[kind] if name not in words]


def test_the_first_page_links_to_every_chapter() -> None:
    text = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert CHAPTERS
    assert not [page.name for page in CHAPTERS if f"]({page.name})" not in text]
