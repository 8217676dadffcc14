"""What a name stands for, by where it stands: the parser's stack as a reader reads it."""

from __future__ import annotations

import pytest

from eosdsl.lsp.marks import Mark, read

SPEC = """
operator visionzip for llava
param b = 64 tokens
score worth = 0.7 * attention(query: last, heads: top(14)) + 0.3 * norm(keys)
at encoder output:
  retain 54 tokens by worth pick top via prune
  and retain b of incoming pick uniform
    via mix(0.6 merge(similarity: cosine(keys), combine: add_mean), prune) with order: score, keep cls
at layer b..8: retain mass 90% along cosine
minimise task + 0.1 * alignment(hidden)
subject to tokens(mean) <= b, flops <= 30%
search with optimiser: adamw(lr: 0.03), temperature: 2 -> 0.05 along linear
"""

PLACES = {
    "visionzip": "name",
    "llava": "family",
    "worth": "name score",
    "b": "name amount layer bound",
    "attention": "score",
    "query": "argument attention",
    "last": "value attention query",
    "heads": "argument attention",
    "top": "value attention heads, pick",
    "norm": "score",
    "keys": "argument norm, argument cosine",
    "uniform": "pick",
    "prune": "behaviour behaviour",
    "incoming": "base",
    "merge": "behaviour",
    "similarity": "argument merge",
    "cosine": "value merge similarity, curve",
    "combine": "argument merge",
    "add_mean": "value merge combine",
    "order": "option",
    "score": "option_value order",
    "keep": "option",
    "cls": "flag_word keep",
    "mass": "amount",
    "task": "objective",
    "alignment": "objective",
    "hidden": "measure_argument alignment",
    "tokens": "measure",
    "mean": "measure_argument tokens",
    "flops": "measure",
    "optimiser": "setting",
    "adamw": "setting_value optimiser",
    "lr": "argument adamw",
    "temperature": "setting",
    "linear": "curve",
}


def described(mark: Mark) -> str:
    assert mark.place is not None
    operator = mark.place.operator.name if mark.place.operator is not None else mark.place.callee
    return " ".join(filter(None, [mark.place.role, operator, mark.place.parameter and mark.place.parameter.name]))


@pytest.mark.parametrize("name", PLACES)
def test_every_name_is_known_by_its_place(name: str) -> None:
    found = [described(mark) for mark in read(SPEC).marks if mark.symbol == "NAME" and mark.token.text == name]
    wanted = PLACES[name].replace(",", "")
    assert " ".join(found) == wanted


def test_no_name_is_left_out() -> None:
    names = {mark.token.text for mark in read(SPEC).marks if mark.symbol == "NAME"}
    assert names == set(PLACES)


def test_keywords_are_keywords_only_where_the_grammar_asks_for_them() -> None:
    marks = read("at layer 5 after attention: retain 50% by attention(layer: next)").marks
    assert [mark.symbol for mark in marks if mark.token.text == "attention"] == ["attention", "NAME"]
    assert [mark.symbol for mark in marks if mark.token.text == "layer"] == ["layer", "NAME"]


BROKEN = """at layer 2: retain 50% by by by
score worth = norm(keys)
at layr 3 retain 5% via merge(
at layer 9: retain worth"""


def test_reading_goes_on_after_what_is_broken() -> None:
    marks = read(BROKEN).marks
    assert "".join(mark.token.text for mark in marks) == "".join(BROKEN.split())
    found = [described(mark) for mark in marks if mark.token.text in ("worth", "merge") and mark.place]
    assert found == ["name", "behaviour", "amount"]


def test_a_missing_colon_and_a_misspelt_keyword_hide_nothing() -> None:
    marks = read("at layr 2 retain 50% by norm").marks
    assert [mark.token.text for mark in marks] == ["at", "layr", "2", "retain", "50%", "by", "norm"]
    assert [mark.symbol for mark in marks] == ["at", "layer", "NUMBER", "retain", "PERCENT", "by", "NAME"]
