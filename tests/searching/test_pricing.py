"""At temperatures of zero a relaxed program's price is its member's plan, reducers and milliseconds included, and
whatever a constraint measures is broken by as much."""

from __future__ import annotations

import pytest
import torch
from spaces import FIXED, PROFILE, SPACE, model, processor

import eosdsl
from eosdsl.cost.expect import schedule_amounts
from eosdsl.ir.nodes import Constraint, RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.models.registry import facts
from eosdsl.passes.bind import bind
from eosdsl.searching.batch import Batch, encode
from eosdsl.searching.constraints import excesses
from eosdsl.searching.members import Members
from eosdsl.searching.objective import see
from eosdsl.searching.pricing import Prices
from eosdsl.searching.questions import read_data
from eosdsl.searching.session import image_token

MEASURED = (
    "tokens(mean) <= 40, tokens(max) <= 90%, tokens(layer 5) <= 20, flops <= 60%, prefill_flops <= 0.05 GFLOPs, "
    "kv_cache <= 30%, latency <= 70%, latency <= 9 ms"
)


def space_of(text: str) -> Space:
    program = eosdsl.parse(text)
    assert isinstance(program, RelaxedProgram)
    return Space.of(program, facts(model()))


def constraints_of(text: str) -> tuple[Constraint, ...]:
    program = eosdsl.parse(f"space s\nat layer 2: retain ?\nsubject to {text}\n")
    assert isinstance(program, RelaxedProgram)
    return program.constraints


CONSTRAINTS = constraints_of(MEASURED)


def batch(families: str = "count,multi") -> Batch:
    questions = read_data(families, 0).learning.batch(0, 2)
    return encode(processor(), questions, image_token(model()))


TOWER = """
space tower for llava
at any 1..2 of encoder layers 0..2 after attention: remove ? 2 tokens..9 tokens pick ? {bipartite(on: keys), diverse}
  via mix(? merge, ? prune) with attention_bias: ? * log_size
at encoder output: retain ? 40%..60% by ? 0.1..1 * attention(query: cls) + norm(hidden) via ? {merge, prune}
at any 0..1 of layers 0, 3: retain ? 10%..30% by norm(hidden) via merge
minimise task
"""


@pytest.mark.parametrize("text", [SPACE, FIXED, TOWER])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_price_of_a_cold_program_is_the_plan_of_its_member(text: str, seed: int) -> None:
    space, asked = space_of(text), batch()
    genome = space.sample(seed)
    schedule, _ = bind(space.fill(genome), facts(model()))
    assert schedule is not None
    exact, whole = schedule_amounts(schedule, 64, 1, PROFILE)
    with relax(space, model()) as relaxed, torch.no_grad():
        relaxed.temperature = Temperatures.cold()
        relaxed.set_genome(genome)
        see(relaxed, asked, hidden=False)
        prices = Prices(relaxed, space, facts(model()), profile=PROFILE)
        soft = prices(asked)
        full = prices.full()
        over = excesses(CONSTRAINTS, soft, full)
    assert [float(one) for one in soft.entering] == pytest.approx([float(one) for one in exact.entering], abs=1e-3)
    for name in ("prefill_flops", "flops", "kv_cache", "latency"):
        assert float(getattr(soft, name)) == pytest.approx(float(getattr(exact, name)), rel=1e-5)
        assert float(getattr(full, name)) == pytest.approx(float(getattr(whole, name)), rel=1e-9)
    for constraint, found in zip(CONSTRAINTS, over.tolist(), strict=True):
        alone = Members(space, facts(model()), (constraint,), PROFILE)
        assert found == pytest.approx(alone.excess(genome), abs=1e-4), constraint


def test_every_budget_and_gate_pulls_on_the_price() -> None:
    space, asked = space_of(SPACE), batch()
    with relax(space, model()) as relaxed:
        relaxed.temperature = Temperatures.at(1.0)
        see(relaxed, asked, hidden=False)
        Prices(relaxed, space, facts(model()))(asked).flops.backward()
        for point in space.points:
            # a budget above what arrives at its site has no pull, which is so at late sites to begin with
            if point.kind == "gate" or (point.kind == "fraction" and point.layer == 1):
                parameter, place = relaxed.module.parameter_of(point.id)
                assert parameter.grad is not None and float(parameter.grad.flatten()[place or 0]) != 0, point.id
