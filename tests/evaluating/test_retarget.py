"""Specs at budgets: as near as it gets and never above, nothing but amounts turned, and what cannot be, named."""

from __future__ import annotations

from fractions import Fraction

import pytest

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.evaluating.budgets import TokenBudget, parse_budgets
from eosdsl.evaluating.knobs import Fixed, knob
from eosdsl.evaluating.resized import placed, resized
from eosdsl.evaluating.retarget import Reached, Unreached, retargeted
from eosdsl.evaluating.sides import Candidate
from eosdsl.evaluating.suites import HOME, suite_of
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.models.registry import facts
from eosdsl.passes.bind import bind
from eosdsl.source import SourceFile

SEVEN_B = facts("llava-1.5-7b")
SMALL = SEVEN_B.model_copy(
    update={
        "name": "small",
        "grid": (12, 12),
        "visual_tokens": 144,
        "decoder": SEVEN_B.decoder.model_copy(update={"layers": 8, "heads": 4, "kv_heads": 4}),
        "encoder": SEVEN_B.encoder
        and SEVEN_B.encoder.model_copy(update={"layers": 4, "layers_run": 3, "patches": 144}),
    }
)
BUDGETS = parse_budgets("192,128,64,16")


def source(text: str) -> SourceFile:
    return SourceFile("<test>", text)


def reached(text: str, budget: str, model: object = SEVEN_B) -> Reached:
    found = retargeted(source(text), parse_budgets(budget)[0], facts(model))
    assert isinstance(found, Reached), found
    return found


def mean(program: DiscreteProgram, model: object = SEVEN_B) -> Fraction:
    schedule, found = bind(program, facts(model))
    assert schedule is not None, found
    return schedule.mean_tokens


def test_budgets_as_they_are_written() -> None:
    assert [one.share for one in parse_budgets("192, 25%,1/9,64")] == [Fraction(1, 3), Fraction(1, 4), Fraction(1, 9)]
    assert parse_budgets("64")[0].tokens(144) == 16
    for wrong in ("", "0", "600", "much", "120%", "1/0", "64,"):
        with pytest.raises(SpecError) as caught:
            parse_budgets(wrong)
        assert caught.value.diagnostics[0].code == "E0681"


def test_fastv_by_hand() -> None:
    """Two layers take 576, thirty K: the largest K with (2·576 + 30·K)/32 ≤ 192 is 166; retain 28.83% is 167 > 166."""
    found = reached("at layer 2: retain 50% by attention(query: last)", "192")
    assert found.tokens == Fraction(2 * 576 + 30 * 166, 32)
    assert "attention(query: last)" in found.text
    assert "at layer 2:" in found.text


def test_fastv_cannot_average_16() -> None:
    found = retargeted(source("at layer 2: retain 50% by attention(query: last)"), BUDGETS[3], SEVEN_B)
    assert isinstance(found, Unreached)
    assert found.least == Fraction(2 * 576 + 30, 32)
    assert "layers 0..1 take in every token before the cut at layer 2" in found.reason


def test_a_budget_parameter_is_set_as_set_would() -> None:
    text = "operator o\nparam budget = 64 tokens\nat layer 2: retain budget by norm(hidden)\n"
    found = reached(text, "64")
    assert found.said == "--set 'budget=29 tokens'"  # (1152 + 30·29)/32 = 63.2, with 30 it is 64.1
    assert found.program.steps == eosdsl.parse(text, settings={"budget": "29 tokens"}).steps


def test_groups_and_lists_keep_their_proportions() -> None:
    found = reached(
        "at encoder output: retain 54 tokens by attention(query: cls) and retain 10 tokens pick uniform", "128"
    )
    assert found.tokens == 128
    first, second = (group.budget.amounts[0].value for group in found.program.steps[0].groups)
    assert (getattr(first, "value", 0), getattr(second, "value", 0)) == (108, 20)
    pyramid = reached("at layers 8, 16, 24: retain 50%, 25%, 12.5% by norm(hidden)", "192")
    values = [
        getattr(amount.value, "value", Fraction(0)) for amount in pyramid.program.steps[0].groups[0].budget.amounts
    ]
    assert float(values[0] / values[2]) == pytest.approx(4, rel=0.01)
    assert pyramid.tokens <= 192


def test_one_token_stays_one_token() -> None:
    found = reached("at input: retain 21% by norm(hidden) and retain 1 token pick extra via merge", "192")
    assert found.tokens == 192
    assert "retain 1 token" in found.text


def test_pooling_is_turned_by_its_window() -> None:
    text = "at input: pick grid(2x2) via pool(within: window(2x2))"
    assert [reached(text, b).tokens for b in ("192", "64", "16")] == [192, 64, 16]
    assert "grid(3x3) via pool(within: window(3x3))" in reached(text, "64").text


def test_removing_everything_is_turned_by_its_layer() -> None:
    found = reached("at layer 16: remove all", "192")
    assert "at layer 10: remove all" in found.text
    assert found.tokens == Fraction(10 * 576, 32)


def test_removals_leave_more_where_more_is_allowed() -> None:
    tome = "at encoder layers 0..22 after attention: remove 16 tokens pick bipartite(on: keys) via merge"
    assert [reached(tome, b).tokens for b in ("192", "128", "64")] == [185, 116, 47]
    halves = retargeted(
        source("at encoder output: remove 50% of incoming pick bipartite via merge"), BUDGETS[2], SEVEN_B
    )
    assert isinstance(halves, Unreached)
    assert "removes at most half" in halves.reason


def test_the_image_decides() -> None:
    found = retargeted(
        source("at encoder output: retain outliers(iqr: 1.5) by attention(query: cls)"), BUDGETS[0], SEVEN_B
    )
    assert isinstance(found, Unreached)
    assert "the image decides" in found.reason
    learned = knob(source("at encoder output: retain 5% by learned(predictor)"), None, SEVEN_B)
    assert isinstance(learned, Fixed)


@pytest.mark.parametrize(
    ("model", "suite"),
    [(SMALL, "clean-methods"), pytest.param(SEVEN_B, "methods", marks=pytest.mark.slow)],
    ids=["small", "7b"],
)
def test_every_method_meets_its_budget_from_below_and_no_turn_further(model: object, suite: str) -> None:
    known = facts(model)
    for candidate in suite_of(suite):
        for budget in BUDGETS:
            found = retargeted(candidate.source, budget, known, candidate.home)
            if isinstance(found, Unreached):
                assert found.least is None or found.least > budget.tokens(known.visual_tokens)
                continue
            assert mean(found.program, known) == found.tokens <= budget.tokens(known.visual_tokens)
            again = eosdsl.parse(found.text)
            assert isinstance(again, DiscreteProgram)
            assert mean(again, known) == found.tokens, "the text is the program"
            assert _next(candidate, found, budget, model), f"{candidate.name}@{budget.label} could keep more"


def _next(candidate: Candidate, found: Reached, budget: TokenBudget, model: object) -> bool:
    """Whether the knob's next program that keeps more keeps too much, or there is none."""
    known = facts(model)
    own = knob(candidate.source, candidate.home, known)
    assert not isinstance(own, Fixed)
    for number in range(found.number + 1, own.size + 1):
        tokens = mean(own.program(number), known)
        if tokens > found.tokens:
            return tokens > budget.tokens(known.visual_tokens)
    return True


def test_layers_keep_their_place_in_depth() -> None:
    assert placed([2], 32, 8) == {2: 1}
    assert placed([8, 16, 24], 32, 8) == {8: 2, 16: 4, 24: 6}
    assert placed([3, 7, 16, 20], 32, 8) == {3: 1, 7: 2, 16: 4, 20: 5}
    assert placed([14, 20, 21], 28, 8) == {14: 4, 20: 6, 21: 7}
    assert placed([0, 31], 32, 8) == {0: 0, 31: 7}
    assert placed(range(23), 23, 3, first=0) == {n: min(int(n * 3 / 23 + 0.5), 2) for n in range(23)}
    assert placed([2, 8, 16], 32, 64) == {2: 4, 8: 16, 16: 32}


def test_a_model_of_the_same_size_changes_nothing() -> None:
    for candidate in suite_of("methods"):
        program = eosdsl.parse(candidate.source.text)
        assert isinstance(program, DiscreteProgram)
        if candidate.home is not None and candidate.home.name == HOME:
            assert resized(program, SEVEN_B, SEVEN_B).steps == program.steps


def test_heads_and_tokens_are_scaled() -> None:
    program = eosdsl.parse("at layer 7: retain 200 tokens by attention(query: raters, heads: top(14))")
    assert isinstance(program, DiscreteProgram)
    from eosdsl.ir.spell import spell

    assert "at layer 2: retain 50 tokens by attention(query: raters, heads: top(2))" in spell(
        resized(program, SEVEN_B, SMALL)
    )
