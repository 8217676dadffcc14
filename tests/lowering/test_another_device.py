"""Whatever is made on the way lies on the device of the model, and nothing is read back from it: run without data.

Tensors on the `meta` device know shapes and devices, refuse to be mixed with others, and refuse to be read. Where the
images stand is read once, on the host, from ids that are on the processor here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from decode import filled_cache, stepping
from prefill import CASES, sides_of
from random_llava import Shape, build, encoded, prompt, twin
from torch import Tensor

import eosdsl
from eosdsl.lowering import calls
from eosdsl.lowering.images import Layout, read_layout

SHAPE = Shape(128, 8, 144, 64, 4)
SPECS = (
    "at layer 2: retain 50% by attention(query: visual, heads: max) * attention(query: text)",
    "at layer 2: retain 50% by attention(query: all)",
    "at layer 2: retain 40% pick diverse",
    "at layer 2: retain 40% pick dpp",
    "at layer 2: retain 40% by random(1) + position pick density_peaks(k: 5) via pool",
    "at layer 2: retain 25% pick grid(2x2) via pool(within: window(2x2))",
    "at layer 2 after attention: retain 40% pick repel(pivots: 8) via reweight(temperature: 0.2)",
    "at layer 2: retain 50% via merge with positions: median, order: score",
)


@dataclass(frozen=True)
class OnTheHost:
    """Ids that are somewhere else, and what a transfer of them gives."""

    there: Tensor
    here: Tensor

    @property
    def device(self) -> torch.device:
        return self.there.device

    def cpu(self) -> Tensor:
        return self.here


@pytest.fixture(autouse=True)
def no_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """A model without weights may run, and its ids may be read: those of `prompt`, made anew."""

    def read(ids: Any, mask: Any, *more: Any) -> Layout | None:
        torch.manual_seed(0)
        known = prompt(_Host(), SHAPE.tokens)["input_ids"]
        assert mask is None
        return read_layout(OnTheHost(ids, known), mask, *more)  # pyright: ignore[reportArgumentType]

    def nothing(*_: Any, **__: Any) -> None: ...

    monkeypatch.setattr(calls, "read_layout", read)
    monkeypatch.setattr(calls, "refuse_without_weights", nothing)
    monkeypatch.setattr("eosdsl.lowering.compile.refuse_without_weights", nothing)
    monkeypatch.setattr(torch, "_check_tensor_all_with", nothing)  # transformers compares counts of placeholders


class _Host:
    device, dtype = torch.device("cpu"), torch.float32

    class config:
        class vision_config:
            image_size = 14


@pytest.fixture(scope="module")
def model() -> Generator[Any]:
    shape = SHAPE
    yield build(
        shape.width, shape.layers, shape.tokens, torch.bfloat16, "meta", shape.tower_width, shape.tower_layers
    ).requires_grad_(False)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_measured_against_the_limit_stays_on_the_device(case: Any, model: Any) -> None:
    whole: dict[str, Any] = {**prompt(model, SHAPE.tokens), "logits_to_keep": 1}
    sides = sides_of(case, SHAPE, model, whole, encoded(model, whole))
    assert sides.oracle().device.type == "meta"
    assert sides.reduced().logits.device.type == "meta"


@pytest.mark.parametrize("spec", SPECS)
def test_operators_stay_on_the_device_and_read_nothing_back(spec: str, model: Any) -> None:
    inputs = encoded(model, prompt(model, SHAPE.tokens))
    assert eosdsl.compile(spec, twin(model))(**inputs).logits.device.type == "meta"


def test_decoding_stays_on_the_device(model: Any) -> None:
    inputs = encoded(model, prompt(model, SHAPE.tokens))
    compiled = eosdsl.compile("at layer 2: retain 50% by attention(query: last)", twin(model))
    cache = compiled(**inputs).past_key_values
    assert stepping(compiled, cache, 1, model.device)().logits.device.type == "meta"
    assert stepping(model, filled_cache(model, 100, 2), 2, model.device)().logits.device.type == "meta"


def test_a_tensor_of_another_device_is_told() -> None:
    with pytest.raises(RuntimeError, match="device"):
        torch.add(torch.zeros(3, device="meta"), torch.zeros(3))
    with pytest.raises(RuntimeError, match="meta"):
        torch.zeros(3, device="meta").sum().item()
