"""The cold program is the discrete one on every family and in bf16: tiles with line breaks (LLaVA-NeXT), images of any
size and videos with three-part positions (Qwen-VL), features that are added again behind early layers (Qwen3-VL),
layers that slide (Gemma 3), in batches with padding; in towers where reductions run, and refused alike where not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from every_family import FAMILIES, every_family
from families import Family, Inputs, batch
from joined_towers import JOINED, PACKED
from relaxed_runs import TAIL, genome, several, space
from tiny_models import tiny_llava

from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import relax
from eosdsl.lowering.relaxing.temperatures import Temperatures

SPACES = {
    "any site, any of the four": "at any 1..2 of layers 1, 2, 3: retain ? 20%..60% by ? * attention + ? * norm(hidden) "
    "pick ? {top, diverse} via mix(? prune, ? merge, ? pool, ? reweight(temperature: ? 0.05..5)) "
    "with attention_bias: ? 0.1..1.5 * log_size",
    "in front, and between the halves of a layer": "at input: retain ? 40%..80% by norm(hidden) via ? {merge, prune} "
    "with attention_bias: ? * log_size\nat layer 2 after attention: retain ? 10%..30% via mix(? merge, ? pool)",
}


def inputs_of(family: Family) -> Inputs:
    """One image, several, other sizes: of different lengths, padded on the left."""
    seen = [family.usual, *family.others]
    prompts = [family.prompt([3, one, TAIL + 2 * number], number) for number, one in enumerate(seen)]
    return batch([*prompts, family.prompt([1, seen[-1], 2, seen[0], TAIL + 1], 9)])


@torch.no_grad()
def cold_and_compiled(model: Any, program: RelaxedProgram, inputs: dict[str, Any], seed: int) -> tuple[Any, Any, str]:
    """The logits of the last rows, both ways, and the member."""
    with relax(program, model) as relaxed:
        relaxed.temperature = Temperatures.cold(1e-5)  # at 1e-4 two scores of these prompts are as good as equal
        own = genome(relaxed, seed)
        relaxed.set_genome(own)
        cold = relaxed(**inputs).logits[:, -TAIL:].float()
        member = relaxed.space.fill(own)
    with compile(member, model) as compiled:
        return cold, compiled(**inputs, use_cache=False).logits[:, -TAIL:].float(), spell(member)


@pytest.mark.parametrize("text", SPACES.values(), ids=SPACES.keys())
@every_family
def test_cold_is_discrete_on_every_family(family: Family, text: str) -> None:
    program = space(text if family.divides else text.replace(" after attention", ""))
    model = family.build(family.attentions[0])
    for seed in (0, 1):
        cold, found, member = cold_and_compiled(model, program, inputs_of(family), seed)
        torch.testing.assert_close(cold, found, atol=1e-3, rtol=0, msg=lambda told, m=member: f"{m}\n{told}")


@pytest.mark.parametrize("name", ["llava", "qwen2_vl", "llava_next"])
def test_cold_is_discrete_in_bf16(name: str) -> None:
    """To the rounding of bf16, eight bits: both compute the same things in another order. Logits are about ±10."""
    model = FAMILIES[name].build("sdpa").to(torch.bfloat16)
    inputs = {
        key: value.to(torch.bfloat16) if value.is_floating_point() else value
        for key, value in inputs_of(FAMILIES[name]).items()
    }
    for seed in (0, 1, 2):
        cold, found, member = cold_and_compiled(model, space(SPACES["any site, any of the four"]), inputs, seed)
        apart, size = (cold - found).abs(), float(found.std())
        assert float(apart.mean()) < 0.02 * size and float(apart.max()) < 0.15 * size, member


TOWER_SITES = ("encoder layer 0", "encoder layer 0 after attention", "encoder output")


def findings(lower: Callable[[], Any]) -> list[tuple[str, str]]:
    """What lowering refuses, without spans; what it attached is detached again."""
    try:
        lower().detach()
    except SpecError as problem:
        return [(one.code, one.message) for one in problem.diagnostics]
    return []


@every_family
def test_towers_are_searched_where_they_are_reduced_and_refused_in_the_same_words(family: Family) -> None:
    """But for towers that join or pack patches, in which a search is refused."""
    model = family.build(family.attentions[0])
    for site in TOWER_SITES:
        refused = findings(lambda site=site: compile(f"at {site}: retain 50% by norm(hidden)", model))
        relaxed = findings(lambda site=site: relax(space(f"at {site}: retain ? 20%..60% by norm(hidden)"), model))
        if family.name in (*JOINED, *PACKED):
            assert refused == [] and [code for code, _ in relaxed] == ["E0436"]
            continue
        assert relaxed == refused


TOWERS = (
    "at any 1 of encoder layers 0, 1 after attention: remove ? 2 tokens..5 tokens by norm(hidden) "
    "pick ? {bipartite(on: keys), top} via mix(? merge, ? prune) with attention_bias: ? * log_size",
    "at encoder layer 1: retain ? 50%..80% by similarity(others) via ? {merge, pool} "
    "with attention_bias: ? * log_size\n"
    "at encoder output: retain ? 30%..50% by norm(hidden) via ? {merge, prune} with attention_bias: ? * log_size\n"
    "at layer 2: retain ? 10%..20% via mix(? merge, ? pool)",
)


@pytest.mark.parametrize("text", TOWERS)
@pytest.mark.parametrize("name", ["paligemma", "paligemma2", "vipllava"])
def test_cold_is_discrete_in_towers_of_other_families(name: str, text: str) -> None:
    family = FAMILIES[name]
    model = family.build(family.attentions[0])
    for seed in (0, 1, 2):
        cold, found, member = cold_and_compiled(model, space(text), inputs_of(family), seed)
        torch.testing.assert_close(cold, found, atol=1e-3, rtol=0, msg=lambda told, m=member: f"{m}\n{told}")


@torch.no_grad()
def test_a_bf16_model_keeps_counts_exact() -> None:
    model = tiny_llava("sdpa").to(torch.bfloat16)
    inputs = several().inputs()
    inputs = {key: value.bfloat16() if value.is_floating_point() else value for key, value in inputs.items()}
    with relax(space("at layers 1, 3: retain ? 50%..80%, ? 10%..40% via mix(? merge, ? prune)"), model) as relaxed:
        relaxed.temperature = Temperatures.cold()
        relaxed.set_genome(genome(relaxed, 3))
        relaxed(**inputs)
        flow = relaxed.flow
    assert flow is not None
    torch.testing.assert_close(flow.decoder, flow.decoder.round(), atol=1e-3, rtol=0)
