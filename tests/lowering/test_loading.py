"""Models from folders, through `from_pretrained`; folders that are no models."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from test_compile import FASTV, code_of
from tiny_models import prompt, tiny_llava

import eosdsl
from eosdsl.diagnostics import SpecError
from eosdsl.lowering.loading import load_model


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    tiny_llava().save_pretrained(path)
    return path


def logits(model: Any) -> torch.Tensor:
    return model(**prompt([3, 0, 5], 1).inputs()).logits


def test_a_folder_loads_with_its_weights(folder: Path) -> None:
    model = tiny_llava()
    with eosdsl.compile(FASTV, model) as compiled:
        expected = logits(compiled)
    for given in (folder, str(folder)):
        compiled = eosdsl.compile(FASTV, given)
        assert torch.equal(logits(compiled), expected)
        assert not compiled.model.training


def test_dtype_and_device(folder: Path) -> None:
    compiled = eosdsl.compile(FASTV, folder, dtype="bfloat16", device="cpu")
    assert compiled.model.dtype is torch.bfloat16
    assert load_model(folder, dtype=torch.float16).dtype is torch.float16
    assert load_model(folder).dtype is torch.float32


@pytest.mark.parametrize(
    "wrong", [{"dtype": "float31"}, {"dtype": "int8"}, {"device": "abacus"}, {"device": "cuda:99"}]
)
def test_unknown_dtype_or_device(folder: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(SpecError) as caught:
        load_model(folder, **wrong)  # pyright: ignore[reportArgumentType]  # that is the point
    assert code_of(caught) == "E0651"


def copied(folder: Path, to: Path) -> Path:
    to.mkdir()
    for file in folder.iterdir():
        (to / file.name).write_bytes(file.read_bytes())
    return to


@pytest.mark.parametrize("damage", ["none", "short", "garbage", "fewer", "shape"])
def test_weights_that_are_not_there_or_not_whole(folder: Path, tmp_path: Path, damage: str) -> None:
    """Transformers would make up weights that are missing; a model with made-up weights is no model."""
    broken = copied(folder, tmp_path / "broken")
    weights = broken / "model.safetensors"
    if damage == "none":
        weights.unlink()
    elif damage == "short":
        weights.write_bytes(weights.read_bytes()[:-1000])
    elif damage == "garbage":
        weights.write_bytes(b"not weights at all")
    else:
        tensors = load_file(weights)
        name = next(name for name in tensors if name.endswith("q_proj.weight"))
        if damage == "fewer":
            del tensors[name]
        else:
            tensors[name] = tensors[name][:3]
        save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(FASTV, broken)
    assert code_of(caught) == "E0650"
    assert "\n\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "code"), [(None, "E0643"), ("{", "E0646"), (json.dumps({"model_type": "gpt2"}), "E0644")]
)
def test_a_folder_that_is_no_model(tmp_path: Path, content: str | None, code: str) -> None:
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(FASTV, tmp_path)
    assert code_of(caught) == code


def test_a_folder_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(FASTV, tmp_path / "nothing")
    assert code_of(caught) == "E0641"
