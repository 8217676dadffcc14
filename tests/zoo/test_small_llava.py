"""The small LLaVA is a real one: built the same twice, loaded back by path, generating, and never half-written."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, AutoProcessor, LlavaForConditionalGeneration, LlavaProcessor

from eosdsl.diagnostics import SpecError
from eosdsl.zoo import small_llava

PROMPT: list[Any] = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is shown here?"}]}]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_llava.build(tmp_path_factory.mktemp("zoo") / "tiny", seed=3, size="tiny")


def digest(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def test_the_same_seed_writes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    again = small_llava.build(tmp_path / "again", seed=3, size="tiny")
    assert digest(again) == digest(folder)
    assert torch.equal(torch.random.get_rng_state(), state), "the caller's random state was disturbed"
    other = small_llava.build(tmp_path / "other", seed=4, size="tiny")
    assert digest(other)["model.safetensors"] != digest(folder)["model.safetensors"]


def test_it_loads_by_path_and_answers(folder: Path) -> None:
    processor = AutoProcessor.from_pretrained(folder)
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert isinstance(processor, LlavaProcessor)
    assert isinstance(model, LlavaForConditionalGeneration)
    text = processor.apply_chat_template(PROMPT, add_generation_prompt=True)
    inputs = processor(text=[text, text], images=[Image.new("RGB", (50, 80)), Image.new("RGB", (80, 50))])
    inputs = inputs.convert_to_tensors("pt")
    assert (inputs["input_ids"] == model.config.image_token_id).sum(1).tolist() == [64, 64]
    answer = cast(Any, model).generate(**inputs, max_new_tokens=3, min_new_tokens=3, do_sample=False)
    assert answer.shape == (2, inputs["input_ids"].shape[1] + 3)


def test_the_tokenizer_writes_back_any_ascii_prompt_and_pads_on_the_left(folder: Path) -> None:
    tokenizer = AutoProcessor.from_pretrained(folder).tokenizer
    prompt = "USER: Zebra #7 {x}?\nA~b|c\\d `e` ^f <g> ASSISTANT:"
    assert tokenizer.decode(tokenizer(prompt)["input_ids"], skip_special_tokens=True) == prompt
    assert tokenizer(["a", "a b c d e"], padding=True)["attention_mask"][0][0] == 0
    assert tokenizer.unk_token_id in tokenizer("Übung")["input_ids"]


def test_shapes_say_what_they_should() -> None:
    assert small_llava.SHAPES["small"].visual_tokens == 576
    assert small_llava.SHAPES["tiny"].visual_tokens == 64


def test_ensure_builds_once_and_again_when_asked_for_another(folder: Path, tmp_path: Path) -> None:
    target = small_llava.ensure(tmp_path / "m", seed=1, size="tiny")
    (target / "mark").touch()
    small_llava.ensure(target, seed=1, size="tiny")
    assert (target / "mark").exists()
    small_llava.ensure(target, seed=2, size="tiny")
    assert not (target / "mark").exists()
    assert json.loads((target / small_llava.CARD).read_text())["seed"] == 2
    assert small_llava.has_random_weights(target)
    assert not small_llava.has_random_weights(tmp_path)


def test_a_folder_with_something_else_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SpecError) as caught:
        small_llava.build(tmp_path, size="tiny")
    assert caught.value.diagnostics[0].code == "E0608"
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.tex"]
