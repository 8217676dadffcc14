"""`expect` clauses against what plans say."""

from __future__ import annotations

from fractions import Fraction

import pytest

import eosdsl
from eosdsl.cost.expect import check_expectations
from eosdsl.cost.plan import bound_schedule, plan_schedule
from eosdsl.diagnostics import Diagnostic
from eosdsl.ir.nodes import Constraint, DiscreteProgram
from eosdsl.ir.quantities import Argument, Call, Quantity, Word

STEP = "at layer 2: retain 50% by attention(query: last) via prune\n"


def unmet(expectation: str) -> list[Diagnostic]:
    schedule, _ = bound_schedule(f"{STEP}expect {expectation}\n", "llava")
    return check_expectations(schedule)


@pytest.mark.parametrize(
    "expectation",
    [
        "tokens(mean) <= 306",
        "tokens(mean) = 306",
        "tokens(mean) <= 306 tokens",
        "tokens(mean) <= 53.125%",
        "tokens(mean) >= 305.9",
        "tokens(max) <= 576, tokens(layer 2) <= 288, tokens(layer 1) >= 576",
        "flops <= 60%",
        "flops <= 5.3 TFLOPs",
        "flops <= 2.65 TMACs",
        "prefill_flops <= 57.3%",
        "kv_cache <= 185 MiB",
        "kv_cache <= 57.9%",
    ],
)
def test_those_that_hold(expectation: str) -> None:
    assert unmet(expectation) == []


@pytest.mark.parametrize(
    ("expectation", "says"),
    [
        ("tokens(mean) <= 64", "expected tokens(mean) <= 64, but it is 306"),
        ("tokens(mean) <= 305.99", "but it is 306"),
        ("tokens(mean) <= 50%", "but it is 53.12% (306 of 576)"),
        ("tokens(layer 9) <= 64", "expected tokens(layer 9) <= 64, but it is 288"),
        ("tokens(max) = 288", "but it is 576"),
        ("flops <= 30%", "but it is 59.18% (5.273 TFLOPs of 8.91 TFLOPs)"),
        ("flops <= 5 TFLOPs", "but it is 5.273 TFLOPs"),
        ("prefill_flops >= 58%", "but it is 57.23%"),
        ("kv_cache <= 100 MB", "expected kv_cache <= 100 MB, but it is 194 MB"),
    ],
)
def test_those_that_do_not(expectation: str, says: str) -> None:
    (found,) = unmet(expectation)
    assert found.code == "E0330"
    assert says in found.message
    assert found.span is not None and found.span.line == 2


def test_each_is_reported() -> None:
    assert [d.code for d in unmet("tokens(mean) <= 64, flops <= 30%, kv_cache <= 99%")] == ["E0330", "E0330"]


@pytest.mark.parametrize(
    ("measure", "bound", "code"),
    [
        (Call(name="latency"), Quantity(value=Fraction(3), unit="milliseconds"), "E0331"),
        (Call(name="watts"), Quantity(value=Fraction(3)), "E0331"),
        (Call(name="flops"), Quantity(value=Fraction(3), unit="bytes"), "E0331"),
        (Call(name="tokens", arguments=(Argument(value=Word(name="some")),)), Quantity(value=Fraction(3)), "E0331"),
        (Call(name="tokens", arguments=(Argument(name="layer", value=Quantity(value=Fraction(32))),)),
         Quantity(value=Fraction(3)), "E0302"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured(measure: Call, bound: Quantity, code: str) -> None:
    program = eosdsl.parse(STEP)
    assert isinstance(program, DiscreteProgram)
    clause = Constraint(measure=measure, bound=bound)
    schedule, _ = bound_schedule(program.model_copy(update={"expectations": (clause,)}), "llava")
    assert [d.code for d in check_expectations(schedule)] == [code]


def test_the_prompt_counts() -> None:
    schedule, _ = bound_schedule(f"{STEP}expect prefill_flops <= 58%\n", "llava")
    assert check_expectations(schedule) == []
    assert [d.code for d in check_expectations(schedule, text_tokens=2000)] == ["E0330"]
    assert plan_schedule(schedule, text_tokens=2000).prefill_ratio > 0.58
