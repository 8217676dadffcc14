"""`param` and `--set`: defaults, units, and settings that fit nothing."""

from __future__ import annotations

from fractions import Fraction

import pytest

import eosdsl
from eosdsl.diagnostics import Diagnostic, SpecError
from eosdsl.ir.nodes import Budget
from eosdsl.ir.quantities import Call, Quantity

SPEC = "operator x\nparam budget = 64 tokens\nparam how = merge\nat layer 2: retain budget via how"


def budget_of(text: str, **settings: str) -> Budget:
    return eosdsl.parse(text, settings=settings).steps[0].groups[0].budget


def refused(text: str, **settings: str) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        eosdsl.parse(text, settings=settings)
    return caught.value.diagnostics


def test_without_a_setting_the_spec_s_own_value() -> None:
    assert budget_of(SPEC).amounts[0].value == Quantity(value=Fraction(64), unit="tokens")


@pytest.mark.parametrize(
    ("setting", "value", "unit"),
    [
        ("16", Fraction(16), "tokens"),
        ("16 tokens", Fraction(16), "tokens"),
        ("25%", Fraction(1, 4), "ratio"),
        ("1/3", Fraction(1, 3), "ratio"),
    ],
)
def test_a_bare_number_takes_the_unit_of_the_default(setting: str, value: Fraction, unit: str) -> None:
    found = budget_of(SPEC, budget=setting).amounts[0].value
    assert isinstance(found, Quantity) and (found.value, found.unit) == (value, unit)


def test_a_setting_is_the_same_as_writing_it() -> None:
    assert eosdsl.parse(SPEC, settings={"budget": "16", "how": "pool"}) == eosdsl.parse(
        "operator x\nat layer 2: retain 16 tokens via pool"
    )


def test_an_unknown_setting_is_refused_with_the_nearest() -> None:
    (problem,) = refused(SPEC, budgt="16")
    assert problem.code == "E0201" and problem.helps == ("did you mean `budget`?",)
    assert problem.notes == ("params of this spec: budget, how",)


@pytest.mark.parametrize(
    "setting", ["", "16 16", "a b", "?", "? 1..2", "1 -> 2", "norm(keys) + position", "(", '"', "1e999"]
)
def test_what_is_no_value(setting: str) -> None:
    (problem,) = refused(SPEC, budget=setting)
    assert problem.code == "E0216" and f"--set budget={setting}" in problem.message
    assert problem.span is not None and problem.span.line == 2


def test_a_setting_of_the_wrong_kind_is_refused_where_it_is_used() -> None:
    assert [(p.code, p.span.line) for p in refused(SPEC, budget="5 ms") if p.span] == [("E0204", 4)]
    assert [(p.code, p.span.line) for p in refused(SPEC, how="3") if p.span] == [("E0204", 4)]


def test_params_stand_for_layers_weights_words_and_calls() -> None:
    named = eosdsl.parse(
        "param start = 2\nparam end = 8\nparam w = 0.7\nparam q = last\nparam like = cosine(keys)\nparam k = 2\n"
        "at layer start..end: retain 25% by w * attention(query: q) + norm(hidden) via merge(similarity: like)"
    )
    assert named == eosdsl.parse(
        "at layer 2..8: retain 25% by 0.7 * attention(query: last) + norm(hidden) via merge(similarity: cosine(keys))"
    )


def test_a_param_may_name_another() -> None:
    assert budget_of("param a = b\nparam b = 25%\nat layer 2: retain a") == budget_of("at layer 2: retain 25%")
    assert budget_of("param a = b\nparam b = 25%\nat layer 2: retain a", b="5%") == budget_of("at layer 2: retain 5%")


def test_a_score_is_put_in_where_it_is_named() -> None:
    named = eosdsl.parse("score s = 2 * norm(hidden)\nat layer 2: retain 5% by 0.5 * s + random(1)")
    assert named == eosdsl.parse("at layer 2: retain 5% by 1 * norm(hidden) + random(1)")


def test_a_pick_can_be_a_param() -> None:
    program = eosdsl.parse("param p = top\nat layer 2: retain 5% pick p")
    assert program.steps[0].groups[0].pick == Call(name="top")


def test_grid_brings_its_own_budget() -> None:
    assert budget_of("at layer 2: pick grid(2x3)") == budget_of("at layer 2: retain 1/6 pick top")


def test_a_named_score_can_be_an_argument() -> None:
    named = eosdsl.parse("score s = norm(hidden)\nat layer 2: retain 5% by normalise(s)")
    assert named == eosdsl.parse("at layer 2: retain 5% by normalise(norm(hidden))")
    (problem,) = refused("score s = norm(hidden) + random(1)\nat layer 2: retain 5% by normalise(s)")
    assert problem.code == "E0207"
