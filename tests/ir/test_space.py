"""A space and its members: decision points are the holes, samples are sound, genomes replay, members are readable."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eosdsl.diagnostics import SpecError
from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import DiscreteProgram, Mix, RelaxedProgram
from eosdsl.ir.quantities import Call, Open, Quantity
from eosdsl.ir.space import Space
from eosdsl.ir.spell import spell
from eosdsl.ir.walk import find
from eosdsl.models.registry import facts
from eosdsl.parsing import parse
from eosdsl.passes.bind import bind

HYBRID = Path(__file__).parents[2] / "specs" / "spaces" / "hybrid.eos"
WHOLE = """
space whole
at encoder output: remove ? 1%..30% by ? -1..1 * norm(hidden) + position
at any 0..2 of layers 1, 3, 5:
  retain ? 2%..60% by ? * attention(query: last) + 0.5 * norm(hidden) + ? * norm(keys)
  via mix(0.2 prune, ? 0.1..0.5 merge, ? reweight(temperature: ? prior 2)) with attention_bias: ? * log_size
at layer 7: retain ? 8 tokens..64 tokens pick ? {top, density_peaks(k: ? 3..7), diverse} prior diverse
  via ? {pool, reweight(temperature: ? 0.1..1)}
  and retain ? {1%, 2%} via merge(similarity: ? {cosine(hidden), cosine(keys)})
at layers 9, 10: retain ? 10%..20%, ? of incoming via prune
minimise task
"""


def space(text: str) -> Space:
    program = parse(text)
    assert isinstance(program, RelaxedProgram)
    return Space.of(program)


def test_points_and_holes_are_one_to_one_where_no_place_is_open() -> None:
    made = space(WHOLE)
    holes = [hole for step in made.program.steps if step.where.choose is None for hole in find(step, Open)]
    points = [point for point in made.points if point.layer is None]
    assert [point.span for point in points] == [hole.span for hole in holes]
    assert len({point.id for point in made.points}) == len(made.points)


def test_every_candidate_layer_has_a_gate_and_holes_of_its_own() -> None:
    made = space(WHOLE)
    per_layer = [[p.kind for p in made.points if p.layer == layer] for layer in (1, 3, 5)]
    assert per_layer[0] == ["gate", "fraction", "weight", "weight", "weight", "weight", "real", "real"]
    assert per_layer.count(per_layer[0]) == 3


def test_ids_are_paths_in_the_spec() -> None:
    names = [point.id for point in space(WHOLE).points]
    assert names[0] == "steps[0].groups[0].budget"
    assert "steps[1].layers[1].gate" in names
    assert "steps[1].layers[3].groups[0].behaviour[2].temperature" in names
    assert "steps[2].groups[0].pick.density_peaks.k" in names
    assert "steps[2].groups[1].behaviour.similarity" in names
    assert "steps[3].groups[0].budget[1]" in names


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**9))
def test_samples_are_members(seed: int) -> None:
    made = space(WHOLE)
    genome = made.sample(seed)
    assert made.sample(random.Random(seed)) == genome
    assert made.rounded(genome) == genome
    assert Genome.from_json(genome.to_json()) == genome
    member = made.fill(genome)
    assert parse(spell(member)) == member
    on = [name for name, value in genome.values.items() if value is True]
    assert len(on) <= 2
    assert len(member.steps) == 4 - 1 + len(on)
    for mix in find(member, Mix):
        shares = [part.share.value for part in mix.parts if isinstance(part.share, Quantity)]
        assert sum(shares) <= 1
    for point in made.points:
        value = genome[point.id]
        if point.low is not None and point.high is not None and point.kind in ("fraction", "count", "real"):
            assert point.low <= float(value) <= point.high + 1e-12


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**9))
def test_members_are_recognised(seed: int) -> None:
    made = space(WHOLE)
    member = made.fill(made.sample(seed))
    genome = made.genome_of(member)
    assert genome is not None
    assert made.fill(genome) == member


def test_another_program_is_not_recognised() -> None:
    other = parse("operator other\nat layer 2: retain 10%")
    assert isinstance(other, DiscreteProgram)
    assert space(WHOLE).genome_of(other) is None


def test_the_prior_is_what_is_written_or_the_middle() -> None:
    made = space(WHOLE)
    prior = made.prior()
    assert prior["steps[2].groups[0].pick"] == "diverse"
    assert prior["steps[1].layers[1].groups[0].behaviour[2].temperature"] == 2.0
    assert prior["steps[2].groups[0].budget"] == 36
    assert made.rounded(prior) == prior
    # what is decided takes 0.2, the open merge at most 0.5
    shares = [prior[f"steps[1].layers[1].groups[0].behaviour[{i}].share"] for i in (1, 2)]
    assert sum(float(share) for share in shares) == pytest.approx(0.8)
    assert all(float(share) >= 0.1 for share in shares)


def test_samples_on_a_model_bind_and_what_a_place_lacks_is_left_out() -> None:
    program = parse(HYBRID)
    assert isinstance(program, RelaxedProgram)
    known = facts("llava")
    made = Space.of(program, known)
    assert {one.code for one in made.left_out} == {"I0515"}
    ids = {point.id for point in made.points}
    assert "steps[0].layers[0].groups[0].score[0].weight" in ids
    assert "steps[0].layers[0].groups[0].score[1].weight" not in ids
    for seed in range(20):
        schedule, _ = bind(made.fill(made.sample(seed)), known)
        assert schedule is not None


def test_weights_are_proportions_and_what_gets_nothing_is_left_out() -> None:
    made = space("space s\nat layer 2: retain 5% by ? * norm(hidden) + ? * norm(keys) via mix(? merge, ? prune)")
    values = dict(made.prior().values)
    score, mix = "steps[0].groups[0].score", "steps[0].groups[0].behaviour"
    values |= {f"{score}[0].weight": 6.0, f"{score}[1].weight": 2.0, f"{mix}[0].share": 0.0, f"{mix}[1].share": 1.0}
    assert "by 0.75 * norm(hidden) + 0.25 * norm(keys)\n" in spell(made.fill(Genome("s", values))) + "\n"
    assert made.fill(Genome("s", values)).steps[0].groups[0].behaviour == Call(name="prune")
    values[f"{score}[1].weight"] = 0.0
    assert "retain 5% by norm(hidden)" in spell(made.fill(Genome("s", values)))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("at layer 2: retain 5% pick ?", "E0512"),
        ("at layer 2: retain 5% via ?", "E0512"),
        ("at layer 2: retain 5% pick density_peaks(k: ?)", "E0512"),
        ("at any 1 of layers depth 20%, depth 40%: retain 5%", "E0513"),
        ("at layer 2: retain 5% via mix(0.8 merge, ? 0.3..0.5 prune)", "E0517"),
    ],
)
def test_what_cannot_be_a_space(text: str, code: str) -> None:
    with pytest.raises(SpecError) as problem:
        space("space s\n" + text)
    assert {one.code for one in problem.value.diagnostics} == {code}


def test_depths_need_a_model() -> None:
    program = parse("space s\nat any 1 of layers depth 25%, depth 50%: retain ?")
    assert isinstance(program, RelaxedProgram)
    assert Space.of(program, facts("llava")).gates[0].layers == (8, 16)


def test_genomes_of_other_spaces_are_refused() -> None:
    made = space("space s\nat layer 2: retain ? pick ? {top, diverse}")
    prior = dict(made.prior().values)
    for wrong in (
        {},
        prior | {"more": 1.0},
        prior | {"steps[0].groups[0].pick": "dpp"},
        prior | {next(iter(prior)): True},
    ):
        with pytest.raises(SpecError) as problem:
            made.fill(Genome("s", wrong))
        assert problem.value.diagnostics[0].code == "E0514"


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"eos_genome": 1}', '{"eos_genome": 1, "space": "s", "values": {"a": null}}']
)
def test_what_is_no_genome(text: str) -> None:
    with pytest.raises(SpecError) as problem:
        Genome.from_json(text)
    assert problem.value.diagnostics[0].code == "E0616"


def test_a_genome_of_another_format() -> None:
    with pytest.raises(SpecError) as problem:
        Genome.from_json('{"eos_genome": 2, "space": "s", "values": {}}')
    assert problem.value.diagnostics[0].code == "E0617"
