"""Invariants of programs: sound ones pass, each way of breaking one is named."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from ir_programs import PROGRAMS, calm

from eosdsl.ir.nodes import (
    Amount,
    Budget,
    Constraint,
    DiscreteProgram,
    Group,
    LayerRef,
    Mix,
    MixPart,
    RelaxedProgram,
    Step,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Open, Quantity
from eosdsl.ir.verify import CODES, verify

HALF = Amount(value=Quantity(value=Fraction(1, 2), unit="ratio"))
PLAIN = Budget(verb="retain", amounts=(HALF,))
LAYER = Where(stream="decoder", layers=(LayerRef(index=2),))


def program(**parts: Any) -> DiscreteProgram:
    """One plain step, with parts replaced."""
    group = Group(
        budget=parts.get("budget", PLAIN),
        behaviour=parts.get("behaviour", Call(name="prune")),
        pick=parts.get("pick", Call(name="top")),
    )
    step = Step(where=parts.get("where", LAYER), groups=parts.get("groups", (group,)))
    return DiscreteProgram(steps=(step,), language=parts.get("language", 1), expectations=parts.get("expectations", ()))


def ratio(numerator: int, denominator: int = 1) -> Budget:
    value = Quantity(value=Fraction(numerator, denominator), unit="ratio")
    return Budget(verb="retain", amounts=(Amount(value=value),))


def mix(*shares: Fraction | int) -> Mix:
    return Mix(parts=tuple(MixPart(share=Quantity(value=Fraction(s)), behaviour=Call(name="prune")) for s in shares))


def layers(*indices: int, **where: Any) -> Where:
    return Where(stream="decoder", layers=tuple(LayerRef(index=i) for i in indices), **where)


@calm(50)
@given(PROGRAMS)
def test_sound_programs_pass(given_program: DiscreteProgram | RelaxedProgram) -> None:
    assert verify(given_program) == []


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("E0280", {"behaviour": Open()}),
    ("E0280", {"pick": Call(name="top", arguments=(Argument(name="n", value=Open()),))}),
    ("E0281", {"behaviour": mix(Fraction(2, 3), Fraction(2, 3))}),
    ("E0281", {"behaviour": mix(Fraction(-1, 3), Fraction(2, 3))}),
    ("E0281", {"behaviour": mix()}),
    ("E0282", {"where": layers()}),
    ("E0282", {"where": layers(-1)}),
    ("E0282", {"where": Where(stream="decoder", layers=(LayerRef(),))}),
    ("E0282", {"where": Where(stream="decoder", layers=(LayerRef(index=1, depth=Fraction(1, 2)),))}),
    ("E0282", {"where": Where(stream="decoder", layers=(LayerRef(depth=Fraction(3, 2)),))}),
    ("E0282", {"where": Where(stream="encoder_output", layers=(LayerRef(index=1),))}),
    ("E0282", {"where": layers(5, 2, gradual=True)}),
    ("E0282", {"where": layers(5, gradual=True)}),
    ("E0282", {"where": layers(1, 2, choose=(1, 3))}),
    ("E0283", {"budget": ratio(0)}),
    ("E0283", {"budget": ratio(3, 2)}),
    ("E0283", {"budget": Budget(verb="retain", amounts=())}),
    ("E0283", {"budget": Budget(verb="retain", amounts=(HALF, HALF))}),
    ("E0283", {"budget": Budget(verb="retain", amounts=(HALF,), curve=Call(name="cosine"))}),
    ("E0283", {"budget": Budget(verb="retain", amounts=(Amount(value=Quantity(value=Fraction(7))),))}),
    (
        "E0283",
        {"budget": Budget(verb="remove", amounts=(Amount(value=Quantity(value=Fraction(1, 2), unit="tokens")),))},
    ),
    ("E0284", {"expectations": (Constraint(measure=Call(name="flops"), bound=Quantity(value=Fraction(-1))),)}),
    ("E0285", {"language": 2}),
    ("E0286", {"groups": ()}),
]


@pytest.mark.parametrize(("code", "parts"), BROKEN)
def test_each_broken_invariant_is_named(code: str, parts: dict[str, Any]) -> None:
    assert [d.code for d in verify(program(**parts))] == [code]


def test_every_invariant_is_broken_by_a_case() -> None:
    assert {code for code, _ in BROKEN} == set(CODES)


def test_a_space_may_hold_open_values() -> None:
    sound = program(behaviour=Open())
    assert verify(RelaxedProgram(steps=sound.steps)) == []
