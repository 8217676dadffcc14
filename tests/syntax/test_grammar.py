"""The shipped parse tables are those of the grammar, and our machine reads exactly what lark reads."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import lark
import pytest
from hypothesis import HealthCheck, given, settings
from strategies import files, text_of

from eosdsl.resources import resource
from eosdsl.source import SourceFile
from eosdsl.syntax.automaton import Machine
from eosdsl.syntax.generate import generate, main
from eosdsl.syntax.keywords import KEYWORDS, STATEMENTS
from eosdsl.syntax.parse import parse_syntax
from eosdsl.syntax.tables import load
from eosdsl.syntax.tokens import Token, tokenize

GRAMMAR = (resource("grammar") / "eos.lark").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reference() -> lark.Lark:
    return lark.Lark(GRAMMAR, parser="lalr", maybe_placeholders=True)


def test_tables_are_fresh() -> None:
    shipped = (resource("grammar") / "eos.tables.json").read_text(encoding="utf-8")
    assert shipped == generate(GRAMMAR), "run: python -m eosdsl.syntax.generate"
    assert main(["--check"]) == 0


def test_a_changed_grammar_is_noticed() -> None:
    shipped = (resource("grammar") / "eos.tables.json").read_text(encoding="utf-8")
    assert generate(GRAMMAR.replace('"minimise"', '"minimize"')) != shipped


def test_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """lark settles shift/reduce conflicts in silence, unless it is asked."""
    level = lark.logger.level
    lark.logger.setLevel(logging.DEBUG)
    try:
        with caplog.at_level(logging.DEBUG, logger=lark.logger.name):
            lark.Lark(GRAMMAR, parser="lalr", start=["start", "value"], maybe_placeholders=True, debug=True)
    finally:
        lark.logger.setLevel(level)
    assert "onflict" not in caplog.text


def test_every_rule_has_a_comment_above_it() -> None:
    lines = GRAMMAR.splitlines()
    bare = [
        line for above, line in pairwise(lines)
        if re.match(r"[?!]*[a-z_]+(\.\d+)?:|[A-Z]+(\.\d+)?:", line) and not above.startswith("//")
    ]  # fmt: skip
    assert bare == []


def test_keyword_table_is_the_grammar_s() -> None:
    assert set(KEYWORDS) == load().keywords
    begins = {kind for kind in load().states[load().starts["start"]] if kind.isalpha()}
    assert begins == STATEMENTS


def outline(machine_or_tree: Any) -> Any:
    """Derivations in one shape, from lark's tree or from ours."""
    match machine_or_tree:
        case lark.Tree():
            return (str(machine_or_tree.data), [outline(child) for child in machine_or_tree.children])
        case lark.Token():
            return str(machine_or_tree)
        case Token():
            return machine_or_tree.text
        case (name, children):
            return (name, [outline(child) for child in children])
        case other:
            return other


class _Outlines(defaultdict[str, Any]):
    """A tree builder whose every action notes its name and children."""

    def __missing__(self, action: str) -> Any:
        return lambda builder, children, first, last: (action, children)


def derivation(text: str) -> Any:
    tables = load()
    machine = Machine(tables, _Outlines(), None, [tables.starts["start"]])
    for token in tokenize(text, tables).tokens:
        assert machine.feed(token), token
    return outline(machine.result)


@given(files())
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_derivations_are_lark_s(reference: lark.Lark, statements: Any) -> None:
    text = text_of(statements)
    assert derivation(text) == outline(reference.parse(text))


def pieces() -> Iterator[str]:
    """Texts one token away from being right: each of a page's tokens left out, or doubled."""
    text = (
        "at layers 8, 16: retain 50%, 25% of incoming by 0.7 * norm(keys) - x pick grid(2x2) "
        "via mix(? a, 0.4 b) with k: v"
    )
    words = [token.text for token in tokenize(text, load()).tokens[:-1]]
    for i, word in enumerate(words):
        yield " ".join([*words[:i], *words[i + 1 :]])
        yield " ".join([*words[:i], word, word, *words[i + 1 :]])


@pytest.mark.parametrize("text", sorted(set(pieces())))
def test_what_lark_refuses_is_refused(reference: lark.Lark, text: str) -> None:
    try:
        reference.parse(text)
        accepted = True
    except lark.UnexpectedInput:
        accepted = False
    file, problems = parse_syntax(SourceFile("<text>", text))
    assert (not [p for p in problems if p.code not in ("E0109", "E0110")]) == accepted
    assert file is not None or problems


def test_numbers_leave_the_dots_of_a_range_alone() -> None:
    kinds = [token.kind for token in tokenize("2..8 2.5..8 1e3..2 50%..1/3 2x2", load()).tokens]
    assert " ".join(kinds) == "NUMBER .. NUMBER NUMBER .. NUMBER NUMBER .. NUMBER PERCENT .. FRACTION DIMS $END"
