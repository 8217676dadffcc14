"""Learned numbers in the folder of a compiled operator: what is saved is what loads, and nothing else is taken."""

from __future__ import annotations

import hashlib
import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from learned_reference import drawn
from safetensors.torch import load_file, save_file
from test_compile import code_of
from tiny_models import prompt, tiny_llava
from typer.testing import CliRunner

import eosdsl
from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError

SPEC = "at layers 1, 3: retain 50%, 25% by learned(worth) via prune"
TENSORS = "operator.safetensors"
pytestmark = pytest.mark.filterwarnings("ignore:W0459")


def logits(model: Any) -> torch.Tensor:
    return model(**prompt([3, 0, 5], 1).inputs()).logits


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    with eosdsl.compile(SPEC, tiny_llava()) as compiled:
        drawn(compiled.learned)
        compiled.save_pretrained(tmp_path / "out")
    return tmp_path / "out"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_saved_numbers_load_bit_for_bit(tmp_path: Path, dtype: torch.dtype) -> None:
    model = tiny_llava()
    with eosdsl.compile(SPEC, model) as compiled:
        untrained = logits(compiled)
        drawn(compiled.learned)
        compiled.learned.to(dtype)
        expected, kept = logits(compiled), compiled.learned.state_dict()
        compiled.save_pretrained(tmp_path / "out")
    with eosdsl.load(model, tmp_path / "out") as loaded:
        found = loaded.learned.state_dict()
        assert torch.equal(logits(loaded), expected)
    assert list(found) == list(kept)
    assert all(torch.equal(kept[name], found[name]) and found[name].dtype == dtype for name in kept)
    assert all(number.requires_grad for number in loaded.learned.parameters())
    assert not torch.equal(expected, untrained)


def test_the_file_is_hashed_and_named_as_the_module_names_it(saved: Path) -> None:
    tensors = load_file(saved / TENSORS)
    assert {name.split(".")[0] for name in tensors} == {"layer_1:worth", "layer_3:worth"}
    config = json.loads((saved / "eos_config.json").read_text())
    assert config["sha256"][TENSORS] == hashlib.sha256((saved / TENSORS).read_bytes()).hexdigest()
    assert TENSORS not in _saved_without(saved.parent / "plain")


def _saved_without(folder: Path) -> list[str]:
    with eosdsl.compile("at layer 1: retain 50%", tiny_llava()) as compiled:
        compiled.save_pretrained(folder)
    return [one.name for one in folder.iterdir()]


def rehashed(folder: Path) -> None:
    """As if the folder had been made so: the hash fits."""
    config = json.loads((folder / "eos_config.json").read_text())
    config["sha256"][TENSORS] = hashlib.sha256((folder / TENSORS).read_bytes()).hexdigest()
    (folder / "eos_config.json").write_text(json.dumps(config))


def unnamed(folder: Path) -> None:
    config = json.loads((folder / "eos_config.json").read_text())
    del config["sha256"][TENSORS]
    (folder / "eos_config.json").write_text(json.dumps(config))


def cut(folder: Path) -> None:
    (folder / TENSORS).write_bytes((folder / TENSORS).read_bytes()[:-10])


def bent(folder: Path) -> None:
    data = bytearray((folder / TENSORS).read_bytes())
    data[-3] ^= 1
    (folder / TENSORS).write_bytes(data)


def narrowed(folder: Path) -> None:
    tensors = load_file(folder / TENSORS)
    save_file({name: tensor[:2].contiguous() for name, tensor in tensors.items()}, folder / TENSORS)


def pickled(folder: Path) -> None:
    (folder / TENSORS).write_bytes(pickle.dumps({"layer_1:worth": [1.0]}))


@pytest.mark.parametrize(
    ("code", "damage"),
    [
        ("E0653", [bent]),
        ("E0653", [cut]),
        ("E0653", [pickled]),
        ("E0652", [lambda folder: (folder / TENSORS).unlink()]),
        ("E0459", [unnamed]),
        ("E0459", [cut, rehashed]),
        ("E0459", [pickled, rehashed]),
        ("E0459", [narrowed, rehashed]),
    ],
)
def test_other_numbers_than_were_saved_are_refused(saved: Path, code: str, damage: list[Any]) -> None:
    for step in damage:
        step(saved)
    model = tiny_llava()
    full = logits(model)
    with pytest.raises(SpecError) as caught:
        eosdsl.load(model, saved)
    assert code_of(caught) == code
    assert torch.equal(logits(model), full)


def test_numbers_are_given_when_a_spec_is_compiled(saved: Path) -> None:
    model = tiny_llava()
    with eosdsl.load(model, saved) as loaded:
        expected, module = logits(loaded), loaded.learned
    for given in (saved, str(saved / TENSORS), module, module.state_dict()):
        with eosdsl.compile(SPEC, model, learned=given) as compiled:
            assert torch.equal(logits(compiled), expected)
            assert compiled.warnings == []
            assert not {id(one) for one in compiled.learned.parameters()} & {id(one) for one in module.parameters()}


@pytest.mark.parametrize(
    ("name", "code"), [("nowhere.safetensors", "E0601"), ("", "E0601"), ("out/eos_config.json", "E0459")]
)
def test_a_file_that_holds_none_is_one_clear_message(saved: Path, name: str, code: str) -> None:
    with pytest.raises(SpecError) as caught:
        eosdsl.compile(SPEC, tiny_llava(), learned=saved.parent / name)
    assert code_of(caught) == code


def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gate.eos").write_text("at layer 2: retain 50% by learned(worth)\n")
    tiny_llava().save_pretrained(tmp_path / "model")
    monkeypatch.chdir(tmp_path)
    called = ["compile", "gate.eos", "--model", "model", "--out"]
    done = CliRunner().invoke(app, [*called, "first"])
    assert done.exit_code == 1 and "warning[W0459]" in done.output, done.output
    assert "Learned scores carry 1,802 numbers of their own." in done.output
    tensors = load_file("first/" + TENSORS)
    save_file({name: tensor + 0.5 for name, tensor in tensors.items()}, "trained.safetensors")
    done = CliRunner().invoke(app, [*called, "second", "--learned", "trained.safetensors"])
    assert done.exit_code == 0 and "W0459" not in done.output, done.output
    assert torch.equal(
        load_file("second/" + TENSORS)["layer_2:worth.in_conv.1.bias"], tensors["layer_2:worth.in_conv.1.bias"] + 0.5
    )
    done = CliRunner().invoke(app, [*called, "third", "--learned", "gate.eos"])
    assert done.exit_code == 1 and "error[E0459]" in done.output
    assert not (tmp_path / "third").exists()
