"""Every code in the source has a page; every page has a title and says something; no two places share a code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import eosdsl
from eosdsl.diagnostic_catalogue import catalogue, clashes, explanation

PACKAGE = Path(eosdsl.__file__).parent
CODE = re.compile(r"[EWI]0[1-6]\d\d")


def codes_in_source() -> Iterator[tuple[str, str]]:
    """Every string literal that is a code, with the file it stands in; keys of the `CODES` tables are left out."""
    for file in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        keys = {id(key) for node in ast.walk(tree) if isinstance(node, ast.Dict) for key in node.keys}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in keys:
                yield from ((code, str(file.relative_to(PACKAGE))) for code in [node.value] if CODE.fullmatch(code))


def test_every_code_in_the_source_is_explained() -> None:
    missing = {f"{code} in {file}" for code, file in codes_in_source() if explanation(code) is None}
    assert not missing


def test_every_explained_code_is_used() -> None:
    used = {code for code, _ in codes_in_source()}
    assert not {f"{code} in {page.origin}" for code, page in catalogue().items() if code not in used}


def test_no_two_places_explain_one_code() -> None:
    assert clashes() == []


@pytest.mark.parametrize("code", catalogue())
def test_a_page_says_something(code: str) -> None:
    page = catalogue()[code]
    assert CODE.fullmatch(code)
    assert 5 < len(page.title) < 90
    assert len(page.body) > 60


def test_codes_are_found_in_any_case() -> None:
    assert explanation(" e0601 ") == explanation("E0601")
    assert explanation("E9999") is None
