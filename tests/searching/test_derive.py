"""From genome to operator: what is dropped, repaired and made plain, with losses that a test decides."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from spaces import SPACE

import eosdsl
from eosdsl.cost.plan import bound_schedule
from eosdsl.diagnostics import SpecError
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.ir.spell import spell
from eosdsl.models.registry import facts
from eosdsl.searching.derive import derive, trimmed
from eosdsl.searching.judge import Verdict
from eosdsl.searching.members import Members
from eosdsl.searching.provenance import Origin, stamped, with_bound
from eosdsl.zoo import tiny_llava

KNOWN = facts(tiny_llava.config())


@dataclass
class FakeJudge:
    """A loss of 1 for every question, more by what a text holds."""

    costs: dict[str, float] = field(default_factory=dict[str, float])

    def verdict(self, program: DiscreteProgram, share: float = 1.0) -> Verdict:
        text = spell(program)
        loss = 1.0 + sum(cost for piece, cost in self.costs.items() if piece in text)
        each = torch.full((round(8 * share),), loss)
        return Verdict(each, each, each < 1.5)


def members(text: str = SPACE) -> Members:
    program = eosdsl.parse(text)
    assert isinstance(program, RelaxedProgram)
    return Members(Space.of(program, KNOWN), KNOWN, program.constraints)


def genome(own: Members, **gates: bool) -> Genome:
    values: dict[str, Gene] = dict(own.space.prior().values)
    values.update({f"steps[0].layers[{n}].gate": gates.get(f"layer{n}", False) for n in range(6)})
    return Genome(own.space.program.name, values)


def changed(before: Genome, **values: Gene) -> Genome:
    """Values of layer 1, by the end of their ids."""
    new = dict(before.values)
    for end, value in values.items():
        (name,) = [one for one in new if one.startswith("steps[0].layers[1].") and end in one.replace("[", "_")]
        new[name] = value
    return Genome(before.space, new)


def derived(own: Members, given: Genome, judge: Any) -> Any:
    return derive(given, own, judge)


def test_small_shares_are_dropped_and_the_rest_is_made_whole() -> None:
    own = members()
    given = changed(genome(own, layer1=True), behaviour_0=0.04, behaviour_1=0.48)
    given = changed(given, **{"behaviour_2].share": 0.48})
    text = spell(own.space.fill(trimmed(given, own)))
    assert "prune" not in text and "mix(0.5 merge, 0.5 reweight" in text


@pytest.mark.parametrize("bound", [24, 48, 100])
def test_a_broken_constraint_is_repaired_by_the_plans_count(bound: int) -> None:
    own = members(SPACE.replace("<= 48", f"<= {bound}"))
    found = derived(own, changed(genome(own, layer1=True), budget=0.8), FakeJudge())
    schedule, _ = bound_schedule(found.program, KNOWN)
    assert own.excess(found.genome) <= 0 and schedule.mean_tokens <= bound
    # and what the constraint leaves is used: one more step of the budget would break it
    assert schedule.mean_tokens > bound - 2


def test_a_broken_lower_bound_is_repaired_by_the_least_that_meets_it() -> None:
    own = members(SPACE.replace("<= 48", ">= 60"))
    found = derived(own, changed(genome(own, layer0=True), budget=0.1), FakeJudge({"retain 8": 9.0}))
    schedule, _ = bound_schedule(found.program, KNOWN)
    assert own.excess(found.genome) <= 0 and schedule.mean_tokens >= 60


def test_a_site_too_late_for_the_constraint_moves_forward() -> None:
    own = members()
    found = derived(own, genome(own, layer5=True), FakeJudge())
    assert own.excess(found.genome) <= 0
    assert not found.genome["steps[0].layers[5].gate"] and any("repaired" in step for step in found.steps)


def test_what_no_member_can_meet_is_said() -> None:
    own = members(SPACE.replace("tokens(mean) <= 48", "tokens(layer 0) <= 5, tokens(mean) <= 3"))
    with pytest.raises(SpecError) as problem:
        derived(own, genome(own, layer2=True), FakeJudge())
    assert problem.value.diagnostics[0].code == "E0675"


def test_the_best_member_that_was_met_is_taken() -> None:
    own = members()
    last, before = (genome(own, **{name: True}) for name in ("layer1", "layer2"))
    judge: Any = FakeJudge({"at layer 1": 0.4})
    found = derive(last, own, judge, others=[before])
    assert found.genome["steps[0].layers[2].gate"] and any("met on the way" in step for step in found.steps)
    level: Any = FakeJudge()
    assert not derive(last, own, level, others=[before]).genome["steps[0].layers[2].gate"], "no better: the last"


def test_a_mix_is_made_plain_only_where_the_loss_does_not_notice() -> None:
    own = members()
    given = changed(genome(own, layer1=True), behaviour_0=0.3, behaviour_1=0.5, budget=0.2)
    given = changed(given, **{"behaviour_2].share": 0.2})
    plain = derived(own, given, FakeJudge())
    assert "via merge" in spell(plain.program) and "mix" not in spell(plain.program)
    noticed = derived(own, given, FakeJudge({"via merge": 0.5}))
    assert "mix(0.3 prune, 0.5 merge, 0.2 reweight" in spell(noticed.program)


def test_a_site_that_gives_up_nothing_is_closed() -> None:
    own = members()
    given = genome(own, layer1=True, layer3=True)
    values = dict(given.values)
    values["steps[0].layers[1].groups[0].budget"] = 0.1
    values["steps[0].layers[3].groups[0].budget"] = 0.5
    found = derived(own, Genome(given.space, values), FakeJudge({"at layers 1": 9.0}))
    assert found.genome["steps[0].layers[1].gate"] and not found.genome["steps[0].layers[3].gate"]


def test_the_text_says_where_it_comes_from_and_keeps_its_promises() -> None:
    own = members()
    found = derived(own, genome(own, layer0=True), FakeJudge())
    origin = Origin("specs/spaces/small.eos", "abc123", "tiny-llava", "def456", 7, "step 600", "count", 8)
    verdict = found.verdict
    program = stamped(found.program, own.constraints, KNOWN, origin, verdict, verdict)
    text = spell(program)
    lines = text.splitlines()
    assert lines[0] == (
        "# derived from specs/spaces/small.eos (sha256 abc123), step 600, seed 7; model tiny-llava (sha256 def456)"
    )
    assert "task 1.000 (full model 1.000)" in lines[1] and "<= 48 tokens" in lines[2]
    assert lines[3] == "operator small_48 for llava" and "expect tokens(mean) <= 48" in lines[-1]
    assert eosdsl.parse(text) == program.model_copy(update={"comment": ()}) or eosdsl.parse(text).steps == program.steps
    assert eosdsl.plan(text, KNOWN).mean_tokens <= 48
    assert not [one for one in eosdsl.check(text, KNOWN) if one.is_error]


def test_budgets_of_a_front_replace_the_bound_on_tokens() -> None:
    own = members()
    (only,) = with_bound(own.constraints, 16)
    assert only.bound.value == 16 and only.bound.unit == "tokens"
    added = with_bound((), 32)
    assert [one.measure.name for one in added] == ["tokens"]
