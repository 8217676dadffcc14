"""Gradients of the relaxed program against central differences, for every kind of decision point; the model stays."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from relaxed_runs import TAIL, several, space
from tiny_models import Prompt, tiny_llava
from torch import Tensor

from eosdsl.lowering.relaxing.relax import Relaxed, relax
from eosdsl.lowering.relaxing.temperatures import Temperatures

WARM = Temperatures(gate=1.0, topk=0.4, choice=1.0, behaviour=1.0, merge=0.2)
STEP = 4e-3  # scores are in single precision: less would measure rounding

SPACES = {
    "gates, budgets, scores, shares, temperature, bias": """
at any 1..2 of layers 1, 3: retain ? 20%..70% by ? * attention(query: last) + ? * norm(hidden)
  via mix(? prune, ? merge, ? pool, ? reweight(temperature: ? 0.1..5)) with attention_bias: ? * log_size""",
    "choices of picks, behaviours and arguments": """
at layer 2: retain ? 20%..70% by ? -1..1 * norm(hidden) + attention pick ? {top, diverse, uniform}
  via ? {pool(within: window(2x2)), merge(similarity: ? {cosine(hidden), cosine(keys)}), prune}""",
    "counts, what is removed, a range": """
at layer 1: retain ? 6 tokens..12 tokens via merge
at layer 2: remove ? 1 tokens..4 tokens pick diverse via merge
at layer 3..4: retain ? {10%, 20%} of incoming via pool with attention_bias: 0.5 * log_size""",
    "the tower, its output, between attention and MLP": """
at encoder layer 0 after attention: retain ? 50%..90% by similarity(others) via mix(? merge, ? prune)
  with attention_bias: ? * log_size
at encoder output: retain ? 40%..60% by attention(query: cls) via merge with attention_bias: ? * log_size
at layer 2 after attention: retain ? 10%..30% via reweight(temperature: ? 0.1..1)""",
    "ways of weighing and combining, strengths to choose among, where a range starts": """
at layer 1: retain ? 30%..70% by norm(hidden)
  via mix(? merge(weight: ? {size, score}, combine: ? {average, add_mean}), ? pool)
  with attention_bias: ? {0.3, 1} * log_size
at layer 2..4: retain ? 90%..95% -> ? 10%..30% along cosine by norm(hidden) via merge""",
    "two groups": """
at layer 2: retain ? 20%..30% by norm(hidden) via merge and retain ? 10%..20% by attention via mix(? pool, ? prune)""",
}


@pytest.fixture(autouse=True)
def with_gradients() -> Any:
    with torch.enable_grad():
        yield


@pytest.fixture(scope="module")
def model() -> Any:
    return tiny_llava("sdpa", dtype=torch.float64, kv_heads=2, tower_layers=3)


def doubled() -> Prompt:
    inputs = several()
    assert inputs.pixel_values is not None
    return replace(inputs, pixel_values=inputs.pixel_values.double())


def loss(relaxed: Relaxed, inputs: Prompt) -> Tensor:
    """Something that depends on the logits in many ways, and on the flow."""
    logits = relaxed(**inputs.inputs()).logits[:, -TAIL:]
    weights = torch.linspace(-1, 1, logits.shape[-1], dtype=logits.dtype)
    flow = relaxed.flow
    assert flow is not None
    counts = flow.decoder.mean() + flow.decoder_mlp[:, 1].mean() + flow.encoder.mean() + flow.encoder_mlp.mean()
    return (logits * weights).mean() + (logits.softmax(-1) * weights).sum(-1).square().mean() + 0.05 * counts


@pytest.mark.parametrize("name", SPACES)
def test_against_central_differences(model: Any, name: str) -> None:
    inputs = doubled()
    with relax(space(SPACES[name]), model) as relaxed:
        relaxed.temperature = WARM
        torch.manual_seed(0)
        for parameter in relaxed.module.parameters():
            parameter.data += 0.3 * torch.randn_like(parameter)
        loss(relaxed, inputs).backward()
        moved = 0
        for key, parameter in relaxed.module.named_parameters():
            assert parameter.grad is not None, key
            for place in range(len(parameter)):
                numeric = _difference(relaxed, inputs, parameter, place)
                found = float(parameter.grad[place])
                assert found == pytest.approx(numeric, rel=0.03, abs=6e-5), (key, place)
                moved += abs(found) > 1e-4
        assert moved >= 0.8 * len(list(relaxed.module.parameters()))


@torch.no_grad()
def _difference(relaxed: Relaxed, inputs: Prompt, parameter: Tensor, place: int) -> float:
    sides: list[float] = []
    for step in (STEP, -STEP):
        parameter[place] += step
        sides.append(float(loss(relaxed, inputs)))
        parameter[place] -= step
    return (sides[0] - sides[1]) / (2 * STEP)


@pytest.mark.parametrize("temperatures", [Temperatures.at(2.0), Temperatures.at(0.05), Temperatures.cold()])
def test_gradients_are_finite_at_every_temperature(temperatures: Temperatures) -> None:
    model = tiny_llava("sdpa", tower_layers=3)
    for text in SPACES.values():
        with relax(space(text), model) as relaxed:
            relaxed.temperature = temperatures
            relaxed.start(relaxed.space.prior())
            out = relaxed(**several().inputs(labels=several().input_ids))
            out.loss.backward()
            for key, parameter in relaxed.module.named_parameters():
                if parameter.grad is None:  # a whole count of anchors that are chosen without gradient
                    assert temperatures.round_counts, key
                    continue
                assert parameter.grad.isfinite().all(), key


def test_the_model_is_frozen_while_attached_and_left_as_it_was(model: Any) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = doubled()
    full = model(**inputs.inputs(), use_cache=False).logits
    with relax(space(SPACES["two groups"]), model) as relaxed:
        assert not any(parameter.requires_grad for parameter in model.parameters())
        loss(relaxed, inputs).backward()
    assert all(parameter.requires_grad and parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(model(**inputs.inputs(), use_cache=False).logits, full)
