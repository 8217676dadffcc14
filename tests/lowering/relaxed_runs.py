"""A relaxed program and the discrete one of its genome, on the same inputs."""

from __future__ import annotations

from typing import Any

import torch
from tiny_models import Prompt, batch, prompt
from torch import Tensor

from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.nodes import RelaxedProgram
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile
from eosdsl.lowering.relaxing.relax import Relaxed, relax
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.parsing import parse

TAIL = 3
"""Rows at the end of a prompt that are compared: text behind the last image."""


def space(text: str) -> RelaxedProgram:
    program = parse("space s\n" + text)
    assert isinstance(program, RelaxedProgram)
    return program


def several() -> Prompt:
    """Prompts of different lengths, one with two images, padded on the left."""
    return batch([prompt([5, 0, 4], 1), prompt([2, 0, 3, 0, TAIL + 2], 2), prompt([1, 0, TAIL], 3)])


def genome(relaxed: Relaxed, seed: int, **given: Gene) -> Genome:
    """A random member, with some of its values set: by the last part of the id (`pick`), or all of it."""
    sample = relaxed.space.sample(seed)
    values = dict(sample.values)
    for name, value in given.items():
        own = [key for key in values if key == name or key.rpartition(".")[2] == name]
        assert own, name
        values.update(dict.fromkeys(own, value))
    return relaxed.space.rounded(Genome(sample.space, values))


@torch.no_grad()
def agree(
    model: Any, program: RelaxedProgram, seed: int, coldest: float = 1e-4, **given: Gene
) -> tuple[Tensor, Tensor]:
    """Assert that cold and compiled logits agree, and the counts of all layers; returns (cold, compiled)."""
    inputs = several().inputs()
    with relax(program, model) as relaxed:
        relaxed.temperature = Temperatures.cold(coldest)
        own = genome(relaxed, seed, **given)
        relaxed.set_genome(own)
        assert relaxed.genome() == own
        cold = relaxed(**inputs).logits[:, -TAIL:]
        flow = relaxed.flow
        member = relaxed.space.fill(own)
    with compile(member, model) as compiled:
        found = compiled(**inputs, use_cache=False).logits[:, -TAIL:]
        plan = compiled.plan
    torch.testing.assert_close(cold, found, atol=1e-3, rtol=0, msg=lambda told: f"{spell(member)}\n{told}")
    assert flow is not None
    expected = torch.tensor([float(count) for count in plan.tokens_per_layer])
    torch.testing.assert_close(flow.decoder, expected.expand_as(flow.decoder), atol=1e-3, rtol=0)
    return cold, found
