"""Spaces on a model: places that do not exist, constraints that cannot be met or never bind."""

from __future__ import annotations

import pytest

from eosdsl.checking import check
from eosdsl.cost.plan import plan
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.parsing import parse
from eosdsl.passes.extremes import extreme_member

MODEL = "llava-1.5-7b"
GOAL = "minimise task\nsubject to {}\nsearch with steps: 10, seed: 0\n"


def space(step: str, constraint: str) -> str:
    return f"space s\n{step}\n{GOAL.format(constraint)}"


def codes(text: str, model: str | None = MODEL) -> list[str]:
    return [d.code for d in check(text, model)]


@pytest.mark.parametrize(
    ("step", "constraint", "expected"),
    [
        ("at layer 2: retain ? 10%..50% by norm(hidden)", "tokens(mean) <= 192", []),
        ("at layer 16: retain ? 10%..50% by norm(hidden)", "tokens(mean) <= 64", ["E0510"]),
        ("at layer 16: retain ? 10%..50% by norm(hidden)", "flops <= 20%", ["E0510"]),
        ("at layer 2: retain ? 10%..20% by norm(hidden)", "tokens(mean) <= 400", ["W0511"]),
        ("at layer 2: retain ? by norm(hidden)", "tokens(mean) <= 64", []),
        ("at layer 2: remove ? 10%..90% by norm(hidden)", "tokens(mean) <= 192", []),
        ("at layer 2: remove ? 10%..20% by norm(hidden)", "tokens(mean) <= 192", ["E0510"]),
        ("at layer 2: retain ? {64 tokens, 128 tokens} by norm(hidden)", "tokens(mean) <= 100", []),
        ("at layer 2: retain ? {64 tokens, 128 tokens} by norm(hidden)", "tokens(mean) <= 60", ["E0510"]),
        ("at any 1..3 of layers 0..24: retain ? 2%..60% by norm(hidden)", "tokens(mean) <= 64", []),
        ("at any 0..3 of layers 0..24: retain ? 2%..60% by norm(hidden)", "tokens(mean) <= 575", []),
        ("at any 1..3 of layers 0..40: retain ? 2%..60% by norm(hidden)", "tokens(mean) <= 64", ["E0302"]),
        ("at layer 2: retain ? 2%..60% by norm(hidden)", "tokens(mean) >= 64", []),
        ("at layer 16: retain ? 2%..60% by norm(hidden)", "latency <= 64", []),
    ],
)
def test_constraints_and_places(step: str, constraint: str, expected: list[str]) -> None:
    text = space(step, constraint)
    assert codes(text) == expected
    assert codes(text, None) == []


def test_the_message_says_what_the_cheapest_member_has() -> None:
    text = space("at layer 16: retain ? 10%..50% by norm(hidden)", "tokens(mean) <= 64")
    (found,) = check(text, MODEL)
    program = parse(text)
    assert isinstance(program, RelaxedProgram)
    cheapest = extreme_member(program, "fewest").model_copy(update={"expectations": ()})
    mean = plan(cheapest, MODEL).mean_tokens
    assert mean == (16 * 576 + 16 * 58) / 32
    assert f"the cheapest has {mean:g}" in found.message


def test_the_family_counts_for_spaces_too() -> None:
    text = space("at layer 2: retain ? 10%..50% by norm(hidden)", "tokens(mean) <= 192")
    text = text.replace("space s", "space s for qwen2_vl")
    assert codes(text) == ["E0401"]


def test_the_ends_of_a_space() -> None:
    step = (
        "at any 1..2 of layers 4, 8, 12: retain ? 10%..50% by ? * norm(hidden) + ? * norm(keys) pick ? {top, diverse}"
    )
    program = parse(space(step, "tokens(mean) <= 192"))
    assert isinstance(program, RelaxedProgram)
    plans = [
        plan(extreme_member(program, end).model_copy(update={"expectations": ()}), MODEL)
        for end in ("fewest", "most", "everywhere")
    ]
    assert [set(one.tokens_per_layer) for one in plans] == [{576, 58}, {576, 288}, {576, 58}]
    assert [one.tokens_per_layer.count(576) for one in plans] == [4, 12, 4]
