"""Every rule has a page whose example it reports and whose remedy it does not; every code is told apart."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rule_pages import SECTIONS, blocks, sections

from eosdsl.diagnostics import Severity
from eosdsl.rules.base import Rule
from eosdsl.rules.document import document
from eosdsl.rules.registry import INDEX, index_text, rules
from eosdsl.syntax.format import format_text

RULES = rules()
each_rule = pytest.mark.parametrize("rule", RULES, ids=lambda rule: f"{rule.code}-{rule.name}")


def test_there_are_rules_and_their_codes_and_names_are_unique() -> None:
    assert len(RULES) >= 40
    assert len({rule.code for rule in RULES}) == len(RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_the_index_of_interests_is_fresh() -> None:
    assert INDEX.read_text(encoding="utf-8") == index_text(), "run `python -m eosdsl.rules.registry`"


def test_the_document_is_fresh() -> None:
    page = Path(__file__).parents[2] / "docs" / "rules.md"
    assert page.read_text(encoding="utf-8") == document(), "run `python -m eosdsl.rules.document docs/rules.md`"


@each_rule
def test_the_code_says_the_severity(rule: Rule) -> None:
    letters = {Severity.WARNING: "W", Severity.INFO: "I"}
    assert re.fullmatch(rf"{letters[rule.severity]}0[1-5]\d\d", rule.code)


@each_rule
def test_one_rule_a_file_of_its_name(rule: Rule) -> None:
    assert type(rule).__module__ == f"eosdsl.rules.{rule.name.replace('-', '_')}"


@each_rule
def test_the_page_has_all_its_sections(rule: Rule) -> None:
    page = rule.page()
    title = page.splitlines()[0]
    assert title.endswith(".")
    assert len(title) < 80
    parts = sections(page)
    assert tuple(parts) == SECTIONS
    assert all(text.strip() for text in parts.values())


@each_rule
def test_the_example_is_reported(rule: Rule, tmp_path: Path) -> None:
    (example,) = blocks(sections(rule.page())["Example"])
    found = example.findings(tmp_path)
    assert not [d for d in found if d.is_error]
    assert rule.code in [d.code for d in found]


@each_rule
def test_the_remedy_is_not_reported(rule: Rule, tmp_path: Path) -> None:
    (remedy,) = blocks(sections(rule.page())["Use instead"])
    found = remedy.findings(tmp_path)
    assert not [d for d in found if d.is_error]
    assert rule.code not in [d.code for d in found]


@each_rule
def test_its_blocks_are_formatted(rule: Rule) -> None:
    for name in ("Example", "Use instead"):
        for block in blocks(sections(rule.page())[name]):
            assert format_text(block.text) == block.text
