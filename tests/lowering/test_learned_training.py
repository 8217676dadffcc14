"""Training learned scores with the model frozen: gradients reach them and nothing else, and they learn what to keep."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
import torch
from learned_reference import drawn
from test_batches import logits
from test_image_encoders import model_of, pixels
from test_tower import towered
from tiny_models import batch, prompt
from torch import Tensor

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.record import record
from eosdsl.lowering.relaxing.temperatures import Temperatures

pytestmark = pytest.mark.filterwarnings("ignore:W0459")
SPEC = "at encoder layer 1: retain 25% by learned(p)"
BOTH = (
    "at encoder layer 1: retain 75% by learned(p)\n"
    "at layers 1, 3: retain 50%, 25% by learned(q) + norm(hidden) via mix(merge, prune)"
)
PATTERN = 1.5 * torch.randn(3, 4, 4, generator=torch.Generator().manual_seed(5))


@pytest.fixture(autouse=True)
def with_gradients(no_grad: None) -> Generator[None]:
    with torch.enable_grad():
        yield


def pictures(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Noise [G, 3, 16, 16] with a pattern on 4 of its 16 patches, and which they are [G, 16]."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randn(count, 3, 16, 16, generator=generator)
    marked = torch.zeros(count, 16)
    for image, own in zip(images, marked, strict=True):
        for place in torch.randperm(16, generator=generator)[:4].tolist():
            row, column = 4 * (place // 4), 4 * (place % 4)
            image[:, row : row + 4, column : column + 4] += PATTERN
            own[place] = 1.0
    return images, marked


@torch.no_grad()
def asked(compiled: Any, images: Tensor, marked: Tensor | None = None) -> tuple[Tensor, list[set[int]]]:
    """What the reduced model says, and what it keeps: by its predictor, or what is marked."""
    network = compiled.learned["encoder_layer_1:p"]
    handle = network.register_forward_hook(lambda *_: marked) if marked is not None else None
    with record(compiled) as steps:
        said = compiled(images).logits
    if handle is not None:
        handle.remove()
    return said, [set(image.kept) for image in steps[0].images]


def test_a_predictor_learns_from_answers_alone_what_to_keep() -> None:
    """It is told what the model says of the marked patches, never which they are."""
    model = model_of("vit")
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    held, marked = pictures(32, 1)
    with eosdsl.compile(SPEC, model) as compiled:
        wanted, kept = asked(compiled, held, marked)

        def judged() -> tuple[float, float]:
            said, own = asked(compiled, held)
            right = sum(len(one & other) for one, other in zip(own, kept, strict=True)) / (4 * len(own))
            return float((said - wanted).square().mean()), right

        first = judged()
        lessons = [
            (images, asked(compiled, images, own)[0]) for images, own in (pictures(24, 100 + i) for i in range(40))
        ]
        optimizer = torch.optim.Adam(compiled.learned.parameters(), lr=0.01)
        with compiled.training() as relaxed:
            for step, (images, target) in enumerate(lessons):
                relaxed.temperature = Temperatures.at(0.1 ** (step / len(lessons)), faintness=6.0)
                optimizer.zero_grad()
                (model(images).logits - target).square().mean().backward()
                optimizer.step()
        last = judged()
        assert compiled.warnings == []
    assert first[1] < 0.5 and first[0] > 0.1
    assert last[1] > 0.95 and last[0] < 0.02 * first[0]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(one.requires_grad and one.grad is None for one in model.parameters())


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_gradients_reach_every_learned_number_and_nothing_else(attention: str) -> None:
    model = towered(attention)
    inputs = batch([prompt([3, 0, 5], 0), prompt([2, 0, 1, 0, 4], 1)]).inputs()
    with eosdsl.compile(BOTH, model) as compiled:
        drawn(compiled.learned)
        with torch.no_grad():
            expected = compiled(**inputs).logits
        with compiled.training():
            model(**inputs).logits[:, -1].square().mean().backward()
        assert torch.equal(compiled(**inputs).logits, expected)
        for name, number in compiled.learned.named_parameters():
            assert number.grad is not None and number.grad.isfinite().all() and number.grad.abs().max() > 0, name
    assert all(one.grad is None for one in model.parameters())
    with eosdsl.compile(BOTH, model, learned=compiled.learned) as compiled, compiled.training(freeze=False):
        model(**inputs).logits[:, -1].square().mean().backward()
    assert any(one.grad is not None and one.grad.abs().max() > 0 for one in model.parameters())


@torch.no_grad()
def test_as_temperatures_go_to_zero_training_is_the_operator() -> None:
    inputs = batch([prompt([3, 0, 5], 0), prompt([2, 0, 1, 0, 4], 1)]).inputs()
    with eosdsl.compile(BOTH, towered()) as compiled:
        drawn(compiled.learned)
        expected = compiled(**inputs).logits[:, -1]
        with compiled.training() as relaxed:
            relaxed.temperature = Temperatures.cold()
            torch.testing.assert_close(relaxed(**inputs).logits[:, -1], expected, atol=1e-3, rtol=1e-3)
    with eosdsl.compile(SPEC, model_of("vit")) as compiled:
        drawn(compiled.learned)
        expected = compiled(pixels()).logits
        with compiled.training() as relaxed:
            relaxed.temperature = Temperatures.cold()
            torch.testing.assert_close(compiled.model(pixels()).logits, expected, atol=1e-3, rtol=1e-3)


def test_what_cannot_be_trained_is_refused_and_stays_attached() -> None:
    with eosdsl.compile(SPEC, model_of("siglip")) as compiled:
        with pytest.raises(SpecError, match="E0521"), compiled.training():
            raise AssertionError("it was opened")
        assert compiled(pixels()).last_hidden_state.shape[1] == 4
    model = towered()
    with eosdsl.compile("at layer 1: retain 50% by learned(p) with positions: compact", model) as compiled:
        with pytest.raises(SpecError, match="E0520"), compiled.training():
            raise AssertionError("it was opened")
        assert logits(compiled, prompt([3, 0, 5])).isfinite().all()


def test_training_ends_detached_where_it_began_so() -> None:
    model = model_of("vit")
    compiled = eosdsl.compile(SPEC, model)
    compiled.detach()
    full = model(pixels()).logits
    with compiled.training():
        assert not torch.equal(model(pixels()).logits, full)
    assert torch.equal(model(pixels()).logits, full)
