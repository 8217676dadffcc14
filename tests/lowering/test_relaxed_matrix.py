"""At temperatures of zero every pick with every behaviour, at every site, is the compiled member; and no score, pick,
behaviour, likeness or support of the language is in no such comparison."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from relaxed_runs import TAIL, agree, several, space
from test_relaxed_cold import BEHAVIOURS, PICKS, SCORES
from tiny_models import tiny_llava

from eosdsl.diagnostics import SpecError
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.models.registry import facts
from eosdsl.operators.kinds import Kind
from eosdsl.operators.registry import operators
from eosdsl.passes.bind import bind

SITES = {
    "input": "input",
    "layer": "layer 2",
    "between the halves": "layer 2 after attention",
    "any layer": "any 1 of layers 1, 3",
    "any layer's middle": "any 1 of layers 1, 3 after attention",
    "the last layer's middle": "layer 4 after attention",
    "tower": "encoder layer 1",
    "tower's middle": "encoder layer 1 after attention",
    "any of the tower": "any 1 of encoder layers 0, 1 after attention",
    "output": "encoder output",
}
EVERY_PICK = (
    "top, uniform, alternate, grid(2x2), diverse, dpp, repel(pivots: 2), distinct(per_round: 2), density_peaks(k: 3), "
    "bipartite(on: {on}), random"
)
EVERY_BEHAVIOUR = (
    "prune, merge, pool, reweight(temperature: 0.3), borrow(within: nearest(3)), merge(similarity: cosine(keys)), "
    "pool(within: frame)"
)
MORE = [
    "at layer 2: retain ? 20%..60% by ? * raw(norm(hidden)) + ? * negate(attention) via merge(within: frame)",
    "at layer 2: retain ? 20%..60% by ? * relevance(text) + ? * norm(hidden, p: ? {1, 2}) via mix(? merge, ? pool)",
    "at layer 2: retain ? 20%..60% via merge(weight: ?) with attention_bias: ? {0, 0.5, 1} * log_size",
    "at layer 2: retain ? 20%..60% via merge(combine: ? {average, add_mean, add_sum})",
    "at layer 2: retain ? 20%..60% by ? * norm(hidden) + ? * attention pick diverse via ? {merge(weight: ?), prune}",
    "at layer 2: retain ? 20%..60% via mix(? merge(weight: ? {size, mean}, combine: ? {average, add_sum}), ? pool)",
    "at layer 2: retain ? 20%..60% via reweight(temperature: 0.2, within: ? {everywhere, window(2x2), nearest(3)})",
    "at depth 40%: retain ? 20%..60% via mix(? merge, ? prune)",
    "at any 2 of layers depth 20%, depth 40%, depth 60%: retain ? 20%..60% via merge",
    "at encoder layer 0..1: retain ? 30%..60% by similarity(others) via mix(? merge, ? prune)",
    "at layer 0..4: retain ? 10%..30% by norm(hidden) pick ? {top, diverse} via merge",
    "at layers 1..4: remove ? 1 tokens..3 tokens by norm(hidden) via ? {merge, prune}",
    "at layer 1: retain ? 40%..60% via merge with attention_bias: ? {0, 1} * log_size\n"
    "at layer 3: retain ? 10%..30% via merge with attention_bias: ? {0, 0.7} * log_size",
]
NOT_TOGETHER = {"picks": {"extra"}, "scores": {"learned"}, "behaviours": set[str](), "supports": set[str]()}
"""Refused by name while relaxed, or of another's making: see `eosdsl explain E0520`."""


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_llava("sdpa", kv_heads=2, tower_layers=3)


@pytest.mark.parametrize("text", MORE)
def test_what_else_can_be_left_open(model: Any, text: str) -> None:
    for seed in range(3):
        agree(model, space(text), seed, coldest=1e-5)  # at 1e-4 some of these scores are as good as equal


@pytest.mark.slow
@pytest.mark.parametrize("site", SITES)
def test_every_pick_with_every_behaviour(model: Any, site: str) -> None:
    """One relaxed program holds them all; its genome says which."""
    on = "hidden" if site == "input" else "keys"
    behaviours = EVERY_BEHAVIOUR.replace("cosine(keys)", f"cosine({on})")
    ratio = "50%..90%" if "tower" in site or site == "output" else "30%..60%"
    program = space(
        f"at {SITES[site]}: retain ? {ratio} by norm(hidden) pick ? {{{EVERY_PICK.format(on=on)}}} "
        f"via ? {{{behaviours}}} with attention_bias: ? 0.1..1.5 * log_size"
    )
    inputs, compared = several().inputs(), 0
    with torch.no_grad(), relax(program, model) as relaxed:
        relaxed.temperature = Temperatures.cold(1e-5)
        picks, chosen = (
            next(point for point in relaxed.space.points if point.id.endswith(end) and point.kind == "choice")
            for end in (".pick", ".behaviour")
        )
        for number, (pick, behaviour) in enumerate((p, b) for p in picks.names for b in chosen.names):
            genome = with_choices(relaxed.space.sample(number), pick, behaviour)
            member = relaxed.space.fill(genome)
            if bind(member, facts(model))[0] is None:
                continue  # a grid that is not whole
            relaxed.set_genome(genome)
            cold = relaxed(**inputs).logits[:, -TAIL:]
            relaxed.detach()
            with compile(member, model) as compiled:
                found = compiled(**inputs, use_cache=False).logits[:, -TAIL:]
            relaxed.attach()
            torch.testing.assert_close(cold, found, atol=1e-3, rtol=0, msg=lambda told, m=member: f"{spell(m)}\n{told}")
            compared += 1
    assert compared >= 60


def with_choices(genome: Genome, pick: str, behaviour: str) -> Genome:
    """A genome with these at all of its places."""
    ends: dict[str, Gene] = {".pick": pick, ".behaviour": behaviour}
    changes = {name: value for name in genome.values for end, value in ends.items() if name.endswith(end)}
    return Genome(genome.space, {**genome.values, **changes})


@pytest.mark.parametrize("kind", ["scores", "picks", "behaviours"])
def test_nothing_of_the_language_is_left_out(kind: Kind) -> None:
    """Whoever adds an operator adds it to the comparisons here or in `test_relaxed_cold`."""
    compared = "\n".join((*BEHAVIOURS, *PICKS, *SCORES, *MORE, EVERY_PICK, EVERY_BEHAVIOUR))
    missing = {name for name in operators(kind) if name not in compared}
    assert missing == NOT_TOGETHER[kind]


def test_picks_that_make_rows_of_their_own_are_refused(model: Any) -> None:
    with pytest.raises(SpecError) as problem:
        relax(space("at layer 2: retain ? pick ? {top, extra} via pool"), model)
    assert {one.code for one in problem.value.diagnostics} == {"E0520"}
