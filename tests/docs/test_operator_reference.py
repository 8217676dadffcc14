"""docs/operators.md is what the operators' classes say now, and leaves none of them out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from eosdsl.operators.parameters import parameters
from eosdsl.operators.registry import KINDS, SINGULAR, Kind, operators
from eosdsl.views.operator_reference import document, main

PAGE = Path(__file__).resolve().parents[2] / "docs" / "operators.md"


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), (
        "run: python -m eosdsl.views.operator_reference docs/operators.md"
    )


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_and_parameter_is_there(kind: Kind) -> None:
    text = PAGE.read_text(encoding="utf-8")
    section = text.split(f"## {kind.capitalize()}\n", 1)[1].split("\n## ", 1)[0]
    for name, operator in operators(kind).items():
        assert f"### {name} ({SINGULAR[kind]})" in section
        for parameter in parameters(operator):
            assert re.search(rf"^\| `{parameter.name}` \|", section, re.MULTILINE), f"{name}: {parameter.name}"


def test_it_is_written_to_a_file(tmp_path: Path) -> None:
    assert main([str(tmp_path / "page.md")]) == 0
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == document()
    assert main([]) == 2
