"""Neighbours of a member: which they are, that they meet the constraints, and that the better one is kept."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from test_derive import FakeJudge, changed, genome, members

from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.spell import spell
from eosdsl.searching.derive import derive
from eosdsl.searching.judge import Verdict
from eosdsl.searching.refine import SCREEN, fitted, neighbours, refined

WIDE = 1000


@dataclass
class Counting(FakeJudge):
    """Keeps the largest share of the questions that each text was asked."""

    asked: dict[str, float] = field(default_factory=dict[str, float])

    def verdict(self, program: DiscreteProgram, share: float = 1.0) -> Verdict:
        self.asked[spell(program)] = max(self.asked.get(spell(program), 0.0), share)
        return super().verdict(program, share)


def test_neighbours_differ_in_one_thing_and_can_be_made_to_fit() -> None:
    own = members()
    start = changed(genome(own, layer1=True), budget=0.2)
    found = {what: changed_(start) for what, changed_ in neighbours(own)}
    assert found["layer 1 moved to 4"] is not None and found["layer 1 moved to 4"]["steps[0].layers[4].gate"]
    assert found["layer 1 closed"] is None, "one place has to stay open"
    assert found["layer 3 moved to 2"] is None, "nothing acts there"
    assert found["layer 3 opened"] is not None
    for one in found.values():
        fits = None if one is None else fitted(one, own)
        assert fits is None or own.excess(fits) <= 0


def test_what_moves_takes_its_values_along() -> None:
    own = members()
    start = changed(genome(own, layer1=True), budget=0.2)
    moved = dict(neighbours(own))["layer 1 moved to 4"](start)
    assert moved is not None
    assert moved["steps[0].layers[4].groups[0].budget"] == start["steps[0].layers[1].groups[0].budget"]


def test_a_better_neighbour_is_found_and_the_bound_is_used() -> None:
    own = members()
    start = changed(genome(own, layer1=True), budget=0.2)
    judge: Any = FakeJudge({"at layer 1": 0.4, "at layer 2": 0.2, "at layer 3": 0.3})
    best = refined(start, own, judge, WIDE)
    assert best["steps[0].layers[0].gate"] and own.excess(best) <= 0
    schedule = own.tokens(best)
    assert schedule is not None and sum(schedule[:6]) / 6 > 44


def test_no_more_members_are_tried_than_allowed() -> None:
    own = members()
    start = fitted(changed(genome(own, layer1=True), budget=0.2), own)
    assert start is not None

    judge: Any = Counting()
    refined(start, own, judge, 3)
    assert sum(judge.asked.values()) == 4, "the member itself, and three others"


def test_what_is_worse_on_a_part_of_the_questions_is_not_asked_the_others() -> None:
    own = members()
    start = fitted(changed(genome(own, layer1=True), budget=0.2), own)
    assert start is not None
    judge: Any = Counting({f"at layer {other}": 0.5 for other in (0, 2, 3, 4, 5)})
    refined(start, own, judge, WIDE)
    moved = [share for text, share in judge.asked.items() if "at layer 1:" not in text and "at layer 1 " not in text]
    assert moved and set(moved) == {SCREEN}


def test_deriving_refines_where_it_is_asked_to() -> None:
    own = members()
    start = changed(genome(own, layer1=True), budget=0.2)
    judge: Any = FakeJudge({"at layer 1": 0.4})
    assert "at layer 1" in spell(derive(start, own, judge).program)
    assert "at layer 1" not in spell(derive(start, own, judge, refine=20).program)
