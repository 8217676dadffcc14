"""At temperatures of zero the relaxed program is the discrete one: the same logits for every behaviour, pick, score and
site that both express, in batches with padding and several images, under both attention implementations."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from relaxed_runs import TAIL, agree, several, space
from tiny_models import tiny_llava

from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.relaxing.temperatures import Temperatures

BEHAVIOURS = [
    "prune",
    "merge",
    "pool",
    "reweight(temperature: ? 0.05..5)",
    "mix(? prune, ? merge)",
    "mix(? merge, ? pool, 0.2 prune, ? 0.1..0.5 reweight(temperature: 0.2))",
    "? {merge, pool, prune, reweight(temperature: ? 0.05..5)}",
    "merge(similarity: ? {cosine(hidden), cosine(keys), euclidean(hidden), dot(values)})",
    "pool(within: window(2x2))",
    "reweight(temperature: 0.1, within: nearest(3))",
    "pool(within: distance(0.9))",
    "merge(weight: mean)",
    "merge(weight: sum)",
    "merge(weight: score, combine: add_mean)",
    "mix(0.5 merge(combine: add_sum), ? pool)",
    "borrow(within: nearest(4), weight: score, combine: add_sum)",
]
PICKS = [
    "top",
    "uniform",
    "alternate",
    "grid(2x2)",
    "diverse",
    "diverse(on: keys, first: score)",
    "dpp",
    "repel(pivots: 2)",
    "distinct(per_round: 2)",
    "density_peaks(k: 3)",
    "bipartite(on: keys)",
    "random",
    "top(among: 50%)",
]
SCORES = [
    "? * attention(query: last) + ? * attention(query: text) + ? * norm(hidden)",
    "? * attention(query: all) + ? * attention(query: raters) + 0.5 * position",
    "? * attention(query: last, layer: next) + ? * attention(query: last, heads: ? {mean, max, sum})",
    "? * norm(? {hidden, keys}) + ? * similarity(mean) + ? * random(3)",
    "? -1..1 * norm(hidden) * attention + ? 0.1..2 * pagerank(iterations: 2)",
    "0.3 * normalise(attention, to: rank) + ? * (attention + ? * norm(values))",
]


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_llava("sdpa", kv_heads=2)


@pytest.mark.parametrize("behaviour", BEHAVIOURS)
def test_behaviours(model: Any, behaviour: str) -> None:
    for seed in range(2):
        agree(model, space(f"at layer 2: retain ? 20%..60% via {behaviour} with attention_bias: ? * log_size"), seed)


@pytest.mark.parametrize("pick", PICKS)
def test_picks(model: Any, pick: str) -> None:
    choice = space(f"at layer 2: retain ? 20%..60% pick ? {{{pick}, random(seed: 7)}} via mix(merge, ? pool)")
    chosen = choice.steps[0].groups[0].pick
    from eosdsl.ir.spell import spell_value

    agree(model, choice, 3, pick=spell_value(chosen.choices[0]))  # pyright: ignore[reportAttributeAccessIssue]


@pytest.mark.parametrize("score", SCORES)
def test_scores(model: Any, score: str) -> None:
    agree(model, space(f"at layer 2: retain ? 20%..60% by {score} via merge"), 4)


BUDGETS = [
    "retain ? 4 tokens..12 tokens",
    "retain ? 20%..60% of incoming",
    "retain ? {20%, 3 tokens}",
    "remove ? 2 tokens..9 tokens",
    "remove ? 10%..50% of incoming",
]


@pytest.mark.parametrize("budget", BUDGETS)
def test_budgets(model: Any, budget: str) -> None:
    agree(model, space(f"at layer 1: retain 80% via merge\nat layer 3: {budget} via merge"), 5)


@pytest.mark.parametrize("along", ["", "along linear", "along cosine", "along logistic(steepness: 6)"])
def test_ranges(model: Any, along: str) -> None:
    agree(model, space(f"at layer 1..4: retain ? 90%..100% -> ? 10%..30% {along} via mix(? merge, ? prune)"), 6)


SITES = [
    "at input: retain ? 20%..60% by ? * norm(hidden) + ? * position via merge with attention_bias: ? * log_size",
    "at layer 1 after attention: retain ? 20%..60% via mix(? merge, ? pool) with attention_bias: ? * log_size",
    "at layer 4 after attention: retain ? 20%..60% via pool",
    "at encoder output: retain ? 20%..60% by ? * attention(query: cls) + ? * norm(hidden) via merge "
    "with attention_bias: ? * log_size",
    "at encoder output: retain ? 20%..60% pick ? {bipartite(on: keys), diverse} via merge(similarity: cosine(keys))",
    "at encoder layer 0: retain ? 40%..80% by similarity(others) via mix(? merge, ? prune) "
    "with attention_bias: ? * log_size",
    "at encoder layer 0 after attention: remove ? 2 tokens..6 tokens pick bipartite(on: keys) via merge "
    "with attention_bias: ? * log_size",
]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("site", SITES)
def test_sites(site: str, attention: str) -> None:
    agree(tiny_llava(attention), space(site), 7)


SEQUENCES = [
    "at layers 1, 3: retain ? 50%..80%, ? 10%..40% by attention(query: last) via mix(? merge, ? prune) "
    "with attention_bias: ? * log_size",
    "at layer 1: retain ? 50%..80% pick ? {diverse, top} via merge(weight: size) with attention_bias: ? * log_size\n"
    "at layer 2 after attention: retain ? 30%..50% by ? * norm(hidden) + ? * attention pick ? {diverse, dpp} "
    "via pool(within: nearest(3))\n"
    "at layer 4: retain ? 10%..25% pick density_peaks(k: 4) via reweight(temperature: ? 0.05..1) "
    "with attention_bias: ? * log_size",
    "at any 2..3 of layers 1, 2, 3, 4: retain ? 10%..80% by ? * attention(query: last) + ? * norm(keys) "
    "pick ? {top, diverse, uniform} via mix(? prune, ? merge, ? pool, ? reweight(temperature: ? 0.05..5)) "
    "with attention_bias: ? 0.1..1.5 * log_size",
    "at encoder layer 0 after attention: retain ? 60%..90% by norm(hidden) via merge\n"
    "at encoder output: retain ? 40%..60% by attention(query: cls) via merge with attention_bias: ? * log_size\n"
    "at layer 2: retain ? 10%..30% of incoming via merge with attention_bias: ? 0.1..1 * log_size",
]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("sequence", SEQUENCES)
def test_several_steps(sequence: str, attention: str) -> None:
    """Presence and sizes go from site to site: what has faded is not picked, standardised over, likened or attended to
    again."""
    model = tiny_llava(attention)
    for seed in (8, 9):
        agree(model, space(sequence), seed)


GROUPS = [
    "retain ? 20%..30% by norm(hidden) via prune and retain ? 10%..20% pick uniform via merge",
    "retain ? 20%..30% by norm(hidden) via merge and retain ? 10%..20% pick ? {diverse, top} via mix(? pool, ? merge)",
    "retain ? 20%..30% pick diverse via borrow(within: nearest(2)) "
    "and retain ? 2 tokens..4 tokens by position via pool",
]


@pytest.mark.parametrize("groups", GROUPS)
def test_groups(model: Any, groups: str) -> None:
    agree(model, space(f"at layer 2: {groups} with attention_bias: ? * log_size"), 10)


@torch.no_grad()
def test_closed_gates_change_nothing(model: Any) -> None:
    program = space("at any 0..2 of layers 1, 3: retain ? 10%..20% via merge with attention_bias: ? * log_size")
    inputs = several().inputs()
    with relax(program, model) as relaxed:
        relaxed.temperature = Temperatures.cold()
        shut = dict.fromkeys(relaxed.space.gates[0].ids, False)
        prior = relaxed.space.prior()
        relaxed.set_genome(type(prior)(prior.space, {**prior.values, **shut}))
        found = relaxed(**inputs).logits
        with relaxed.off() as plain:
            full = plain(**inputs, use_cache=False).logits
    valid = inputs["attention_mask"].bool()
    torch.testing.assert_close(found[valid], full[valid], atol=1e-5, rtol=0)


@torch.no_grad()
def test_the_cold_program_is_another_than_the_full_one(model: Any) -> None:
    """The equality above is not that of two programs that do nothing."""
    cold, _ = agree(model, space("at layer 1: retain ? 10%..30% via merge"), 1)
    full = model(**several().inputs(), use_cache=False).logits[:, -TAIL:]
    assert (cold - full).abs().max() > 0.1


@torch.no_grad()
def test_a_member_compiles_from_its_text(model: Any) -> None:
    from eosdsl.ir.spell import spell
    from eosdsl.parsing import parse

    program = space("at any 1..2 of layers 1, 3: retain ? via ? {merge, pool}")
    with relax(program, model) as relaxed:
        member = relaxed.space.fill(relaxed.space.sample(0))
    with compile(parse(spell(member)), model) as compiled:
        assert compiled.plan.tokens_per_layer
