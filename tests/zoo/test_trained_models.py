"""What holds for every trained model that comes with the package."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from safetensors import safe_open

from eosdsl.evaluating.loading import load
from eosdsl.models.find import TRAINED
from eosdsl.tasks.registry import standard_families

NAMES = ("tiny-llava", "tiny-qwen-vl")


@pytest.fixture(scope="module", params=NAMES)
def shipped(request: pytest.FixtureRequest) -> tuple[str, Any, Any]:
    """Name, model and processor."""
    _, _, model, processor = load(request.param)
    return request.param, model.eval(), processor


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_documented(name: str) -> None:
    folder = TRAINED / name
    assert sum(file.stat().st_size for file in folder.iterdir()) < 12_000_000
    card = json.loads((folder / "zoo.json").read_text())
    assert set(card["families"]) == set(standard_families())
    assert card["stages"]["read"]["curve"]
    readme = (folder / "README.md").read_text()
    assert f"{card['mean_accuracy']:.3f}" in readme
    assert "Apache-2.0" in readme


@pytest.mark.slow
def test_the_card_tells_the_truth(shipped: tuple[str, Any, Any]) -> None:
    from eosdsl.zoo.train_evaluate import evaluate

    name, model, processor = shipped
    card = json.loads((TRAINED / name / "zoo.json").read_text())
    scores = evaluate(model, processor, questions=100, seed=3)
    for family, score in scores.items():
        # 100 questions: three standard errors
        assert abs(score.accuracy - card["families"][family]["accuracy"]) < 0.15, family


def test_weights_are_stored_in_half_the_room_and_loaded_in_full(shipped: tuple[str, Any, Any]) -> None:
    name, model, _ = shipped
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    with safe_open(TRAINED / name / "model.safetensors", framework="pt") as file:
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118 # no mapping


def test_no_shipped_model_is_left_out() -> None:
    assert {folder.name for folder in TRAINED.iterdir() if folder.is_dir()} == set(NAMES)
