"""Hover: words, operators, parameters, own names, and the effect of statements on the chosen model."""

from __future__ import annotations

from pathlib import Path

import pytest
from cursor import at_cursor

import eosdsl
from eosdsl.lsp.hover import hover
from eosdsl.lsp.settings import Settings
from eosdsl.operators.parameters import parameters
from eosdsl.operators.registry import KINDS, operators
from eosdsl.syntax.keywords import KEYWORDS

FASTV = "operator fastv for llava\nat layer 2: retain 50% by attention(query: last) via prune\n"


def text_at(marked: str, path: Path | None = None, settings: Settings | None = None) -> str:
    document, offset = at_cursor(marked, path, settings or Settings())
    found = hover(document, offset)
    return found.text if found is not None else ""


@pytest.mark.parametrize("word", ["operator", "for", "at", "layer", "retain", "by", "via"])
def test_keywords_say_what_they_do(word: str) -> None:
    assert KEYWORDS[word].doc in text_at(FASTV.replace(f"{word} ", f"▮{word} ", 1))


def test_a_statement_says_its_effect_and_its_cost() -> None:
    text = text_at(FASTV.replace("at layer", "▮at layer"))
    plan = eosdsl.plan(FASTV, "llava")
    assert "keep 50% of the visual tokens" in text
    assert "llava-1.5-7b" in text
    assert "576 → 288 tokens" in text
    assert f"{plan.flops / 1e12:.3g} TFLOPs with it" in text
    assert f"{plan.full_flops / 1e12:.3g} TFLOPs without it" in text
    assert f"{100 * (1 - plan.ratio):.3g}%" in text


def test_cost_is_against_the_same_spec_without_the_statement() -> None:
    rest = "at layer 20: retain 10%\n"
    text = text_at(FASTV.replace("at layer", "▮at layer") + rest)
    with_it, without_it = eosdsl.plan(FASTV + rest, "llava"), eosdsl.plan(rest, "llava")
    assert f"{with_it.flops / 1e12:.3g} TFLOPs with it, {without_it.flops / 1e12:.3g} TFLOPs without it" in text


def test_the_model_is_chosen_by_setting_and_by_family() -> None:
    spec = "▮at layer 2: retain 50%"
    assert "llava-1.5-13b" in text_at(spec, settings=Settings(model="llava-1.5-13b"))
    assert "qwen2-vl" in text_at("operator x for qwen2_vl\n" + spec)
    assert "No model is chosen" in text_at(spec, settings=Settings(model=None))
    assert "No model is chosen" in text_at(spec, settings=Settings(model="no-such-model"))


@pytest.mark.parametrize("kind", KINDS)
def test_every_operator_has_its_page(kind: str) -> None:
    forms = {
        "scores": "at layer 2: retain 50% by ▮{}",
        "picks": "at layer 2: retain 50% pick ▮{}",
        "behaviours": "at layer 2: retain 50% via ▮{}",
        "budgets": "at layer 2: retain ▮{}",
        "similarities": "at layer 2: retain 50% via merge(similarity: ▮{})",
        "supports": "at layer 2: retain 50% via merge(within: ▮{})",
    }
    assert set(forms) >= {kind}, f"operators of a new kind ({kind}) need a case here"
    for name, operator in operators(kind).items():  # pyright: ignore[reportArgumentType, reportCallIssue] # by name
        page = text_at(forms[kind].format(name))
        assert f"# {name}" in page
        for parameter in parameters(operator):
            assert f"`{parameter.name}`" in page


def test_parameters_values_options_and_families() -> None:
    assert "default `last`" in text_at("at layer 2: retain 50% by attention(▮query: cls)")
    assert text_at("at layer 2: retain 50% by attention(query: ▮cls)").startswith("**cls**, for **query**")
    assert text_at("at layer 2: retain 50% by norm(▮keys)").startswith("**keys**, for")
    assert "position ids" in text_at("at layer 2: retain 50% with ▮positions: compact")
    assert "position ids" in text_at("at layer 2: retain 50% with positions: ▮compact")
    assert "Models: `llava-1.5-7b`" in text_at("operator x for ▮llava")
    assert "arrive" in text_at("at layer 2: retain 50% of ▮incoming")
    assert "entering a decoder layer" in text_at("expect ▮tokens(mean) <= 3")


def test_own_names_show_their_declaration(tmp_path: Path) -> None:
    (tmp_path / "shared.eos").write_text("score worth = norm(keys)\n", encoding="utf-8")
    here = tmp_path / "here.eos"
    assert "param b = 64 tokens" in text_at("param b = 64 tokens\nat layer 2: retain ▮b")
    text = text_at('use "shared.eos"\nat layer 2: retain 5% by ▮worth', here)
    assert "score worth = norm(keys)" in text
    assert "shared.eos" in text


def test_nothing_to_say_is_nothing() -> None:
    assert text_at("# a ▮comment") == ""
    assert text_at("at layer 2▮: retain 50%") == ""
    assert text_at("at layer 2: retain 50% by ▮nonsense") == ""


def test_the_range_is_the_word() -> None:
    document, offset = at_cursor("# 😀\nat layer 2: retain 50% via ▮merge")
    found = hover(document, offset + 2)
    assert found is not None
    assert document.text[found.start : found.end] == "merge"
