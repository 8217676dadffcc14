"""What is left out of a derived operator changes nothing: same counts, same logits, and no finding that it is idle."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from spaces import model, processor

import eosdsl
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram
from eosdsl.ir.space import Space
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile_program
from eosdsl.models.registry import facts
from eosdsl.searching.batch import Batch, encode
from eosdsl.searching.questions import read_data
from eosdsl.searching.session import image_token
from eosdsl.searching.tidy import tidied

IDLE = ("W0382", "W0361", "I0343")
SPACES = {
    "in the decoder": """
space s
at any 1..2 of layers 0..2: retain ? 30%..60% by ? * norm(hidden) + ? * position pick ? {top, diverse, uniform}
  via ? {prune, merge(weight: ? {size, score})} with attention_bias: ? {0, 0.5, 1} * log_size
at layer 5: retain ? 5%..20% by norm(hidden) pick ? {top, alternate} via ? {prune, pool}
  with attention_bias: ? {0, 1} * log_size
""",
    "a grid, then more": """
space s
at input: retain ? 20%..40% by norm(hidden) pick grid(2x2) via ? {prune, pool} with attention_bias: ? {0, 1} * log_size
at layer 3: retain ? 5%..20% by norm(hidden) pick ? {top, diverse} via ? {prune, merge}
""",
    "tower and decoder": """
space s
at encoder layer 1 after attention: remove ? 4 tokens..30 tokens by norm(hidden) pick bipartite(on: keys)
  via ? {prune, merge} with attention_bias: ? {0, 1} * log_size
at layer 2: retain ? 10%..30% via ? {prune, merge} with attention_bias: ? {0, 1} * log_size
""",
}


def member(text: str, seed: int) -> DiscreteProgram:
    program = eosdsl.parse(text)
    assert isinstance(program, RelaxedProgram)
    space = Space.of(program, facts(model()))
    return space.fill(space.sample(seed))


def batch() -> Batch:
    questions = read_data("count,multi", 0).learning.batch(0, 2)
    return encode(processor(), questions, image_token(model()))


@torch.no_grad()
def logits(program: DiscreteProgram, inputs: Any) -> torch.Tensor:
    with compile_program(program, model()):
        return model()(**inputs, use_cache=False).logits[:, -4:]


@pytest.mark.parametrize("name", SPACES)
def test_what_nothing_reads_is_left_out_and_nothing_changes(name: str) -> None:
    known, inputs, shorter = facts(model()), batch().inputs, 0
    for seed in range(6):
        program = member(SPACES[name], seed)
        found = tidied(program, known)
        text = spell(found)
        assert eosdsl.parse(text) == found
        assert torch.equal(logits(found, inputs), logits(program, inputs)), text
        assert eosdsl.plan(found, known).tokens_per_layer == eosdsl.plan(program, known).tokens_per_layer
        assert not [one for one in eosdsl.check(text, known) if one.code in IDLE], text
        assert tidied(found, known) == found
        shorter += len(text) < len(spell(program))
    assert shorter >= 3


def test_a_grid_writes_no_budget() -> None:
    text = SPACES["a grid, then more"]
    assert "at layer 0: pick grid(2x2) via" in spell(tidied(member(text, 0), facts(model())))


def test_a_bias_in_front_of_merging_without_one_stays() -> None:
    """It is in force until another takes its place."""
    text = "at layer 1: retain 50% via prune with attention_bias: log_size\nat layer 3: retain 20% via merge"
    kept = eosdsl.parse(text)
    assert isinstance(kept, DiscreteProgram)
    assert tidied(kept, facts(model())) == kept
