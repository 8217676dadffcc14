"""Colours: the Pygments lexer, the TextMate grammar, and the table that both are made from."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Error, string_to_tokentype
from texts import specs

from eosdsl.highlight import textmate
from eosdsl.highlight.lexer import EosLexer
from eosdsl.highlight.patterns import KINDS, patterns
from eosdsl.highlight.vocabulary import vocabulary
from eosdsl.lsp.document import Document
from eosdsl.lsp.semantic_tokens import semantic_tokens
from eosdsl.operators.registry import KINDS as OPERATOR_KINDS
from eosdsl.operators.registry import operators
from eosdsl.syntax.keywords import KEYWORDS

SPECS = specs()


def lexed(text: str) -> list[tuple[int, Any, str]]:
    return [(start, kind, value) for start, kind, value in EosLexer().get_tokens_unprocessed(text) if value]


# --- Pygments -------------------------------------------------------------------------------------------------------


def test_pygments_finds_the_lexer() -> None:
    assert isinstance(get_lexer_by_name("eos"), EosLexer)
    assert isinstance(get_lexer_for_filename("fastv.eos"), EosLexer)


def test_rich_colours_specs() -> None:
    from rich.console import Console
    from rich.syntax import Syntax

    console = Console(force_terminal=True, color_system="standard", width=80)
    with console.capture() as capture:
        console.print(Syntax("at layer 2: retain 50% via prune", "eos"))
    assert capture.get().count("\x1b[") > 6


@pytest.mark.parametrize("name", SPECS)
def test_no_spec_has_an_error_and_none_loses_text(name: str) -> None:
    text = SPECS[name]
    tokens = lexed(text)
    assert [value for _, kind, value in tokens if kind is Error] == []
    assert "".join(value for _, _, value in tokens) == text
    assert "".join(value for _, value in EosLexer().get_tokens(text)) == text


@given(st.text(st.sampled_from('at layer2.:%?"#=<>{}()+-*/\n\r\t\f\ufeff😀é\x00\ud800') | st.characters()))
def test_no_text_is_lost(text: str) -> None:
    tokens = lexed(text)
    assert "".join(value for _, _, value in tokens) == text
    assert all(start + len(value) == after for (start, _, value), (after, _, _) in pairwise(tokens))


@pytest.mark.parametrize("wrong", ['use "open', "at layer 2; retain", "retain 5% é", "a & b", "§"])
def test_what_no_spec_holds_is_an_error(wrong: str) -> None:
    assert Error in [kind for _, kind, _ in lexed(wrong)]


MEANINGS = {
    "param b = 64 tokens  # x": "statement definition mark number unit comment",
    "at layer 5 after attention": "statement site number site site",
    "by attention(query: last)": "keyword operator punctuation parameter punctuation word punctuation",
    "with order: score": "keyword parameter punctuation word",
    "score worth = 0.7 * worth": "statement definition mark number mark name",
    "operator fastv for llava": "statement declared keyword family",
    "subject to tokens(mean) <= 64 tokens": (
        "statement statement measure punctuation word punctuation mark number unit"
    ),
    "via mix(0.6 merge, ? prune)": "keyword keyword punctuation number operator punctuation hole operator punctuation",
    "layers_ after_all retainer": "name name name",
    "nonsense(2x2)": "call punctuation number punctuation",
    "at input: remove all of incoming": "statement site punctuation keyword word keyword word",
    "at layer b..8: retain 1/3": "statement site name mark number punctuation keyword number",
}


@pytest.mark.parametrize("text", MEANINGS)
def test_words_are_coloured_by_what_stands_beside_them(text: str) -> None:
    wanted = [string_to_tokentype(KINDS[kind].token) for kind in MEANINGS[text].split()]
    white = string_to_tokentype(KINDS["white"].token)
    assert [kind for _, kind, _ in lexed(text) if kind is not white] == wanted


def test_every_keyword_and_every_operator_is_coloured() -> None:
    plain = string_to_tokentype(KINDS["name"].token)
    words = {name for kind in OPERATOR_KINDS for name in operators(kind)}
    context = {"eos": "eos 1", "operator": "operator x", "space": "space x", "use": 'use "x"', "param": "param x =",
               "score": "score x =", "subject": "subject to", "search": "search with", "to": "subject to",
               "output": "encoder output", "attention": "after attention"}  # fmt: skip
    units = {word: f"3 {word}" for word, keyword in KEYWORDS.items() if keyword.role == "unit"}
    for word in sorted(words | set(KEYWORDS)):
        text = units.get(word) or context.get(word) or word
        assert plain not in [kind for _, kind, value in lexed(text) if value == word], text


# --- the table ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pattern", patterns(vocabulary()), ids=lambda pattern: pattern.regex[:30])
def test_patterns_are_covered_by_their_groups(pattern: Any) -> None:
    compiled = re.compile(pattern.regex)
    assert compiled.groups in (len(pattern.kinds), 0)
    assert compiled.groups == len(pattern.kinds) or len(pattern.kinds) == 1
    assert set(pattern.kinds) <= set(KINDS)
    assert not compiled.match("")


@pytest.mark.parametrize("name", SPECS)
def test_patterns_agree_with_the_parser(name: str) -> None:
    """What the grammar takes for a comment, a number, a text or a keyword has the colour of one."""
    text = SPECS[name]
    kinds = {start: kind for start, kind, _ in lexed(text)}
    wanted = {"comment": "Comment", "number": "Literal.Number", "string": "Literal.String"}
    for token in semantic_tokens(Document(text)):
        if token.type in wanted:
            assert kinds[token.start] in string_to_tokentype(wanted[token.type])


# --- TextMate -------------------------------------------------------------------------------------------------------


def test_the_grammar_is_fresh() -> None:
    stale = [home for home in textmate.homes() if home.read_text(encoding="utf-8") != textmate.grammar_text()]
    assert stale == [], "run python -m eosdsl.highlight.textmate"


def test_staleness_is_reported_and_mended(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = (tmp_path / "a.json", tmp_path / "deep" / "b.json")
    monkeypatch.setattr(textmate, "homes", lambda: homes)
    assert textmate.main(["--check"]) == 1
    assert textmate.main([]) == 0
    assert textmate.main(["--check"]) == 0
    assert homes[1].read_text(encoding="utf-8") == textmate.grammar_text()


def textmate_scopes(line: str) -> list[str]:
    """The scope of every character, as an editor finds it: the earliest match, of those the first rule."""
    rules = [(re.compile(rule["match"]), rule) for rule in textmate.grammar()["patterns"]]
    scopes = [""] * len(line)
    place = 0
    while place < len(line):
        found = [
            (match.start(), i, match) for i, (regex, _) in enumerate(rules) if (match := regex.search(line, place))
        ]
        if not found:
            break
        _, i, match = min(found, key=lambda one: one[:2])
        rule = rules[i][1]
        captures = {"0": {"name": rule["name"]}} if "name" in rule else rule["captures"]
        for group, capture in captures.items():
            start, end = match.span(int(group))
            scopes[start:end] = [capture["name"]] * (end - start)
        place = match.end()
    return scopes


@pytest.mark.parametrize("name", ["examples", "fastv.eos"])
def test_editors_and_pygments_show_the_same(name: str) -> None:
    by_token = {string_to_tokentype(kind.token): kind.scope for kind in KINDS.values()}
    for line in SPECS[name].split("\n"):
        shown = [by_token[kind] for _, kind, value in lexed(line) for _ in value]
        assert textmate_scopes(line) == shown
