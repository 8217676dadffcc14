"""tiny-qwen-vl as it is shipped: found by name, loaded by stock classes, good enough, and reduced like any model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import eosdsl
from eosdsl.evaluating.loading import load
from eosdsl.evaluating.prompts import batch_inputs
from eosdsl.models.find import TRAINED, find_model
from eosdsl.models.registry import facts, names
from eosdsl.tasks.base import Example
from eosdsl.tasks.registry import family

FOLDER = TRAINED / "tiny-qwen-vl"
HALF = "operator half\nat layer 2: retain 50% by norm(keys, p: 1) pick repel(pivots: 8) via prune\n"


@pytest.fixture(scope="module")
def loaded() -> tuple[Any, Any]:
    _, _, model, processor = load("tiny-qwen-vl")
    return model.eval(), processor


def test_it_is_known_by_name_and_its_facts_need_no_torch() -> None:
    assert "tiny-qwen-vl" in names()
    assert find_model("tiny-qwen-vl").folder == FOLDER
    known = facts("tiny-qwen-vl")
    assert (known.family, known.visual_tokens, known.grid) == ("qwen2_vl", 144, (12, 12))
    assert (known.decoder.layers, known.decoder.rope) == (9, "mrope")
    assert known.encoder is not None
    assert not known.encoder.has_cls


def test_its_card_tells_where_it_comes_from() -> None:
    card = json.loads((FOLDER / "zoo.json").read_text())
    assert card["name"] == "tiny-qwen-vl"
    assert card["stages"]["align"]["curve"]
    assert "tiny-llava" in (FOLDER / "README.md").read_text()


def test_it_is_as_good_as_it_has_to_be() -> None:
    card = json.loads((FOLDER / "zoo.json").read_text())
    assert card["mean_accuracy"] >= 0.8
    assert card["mean_accuracy"] - card["mean_blind"] >= 0.4


def test_it_answers_questions_that_it_was_never_asked(loaded: tuple[Any, Any]) -> None:
    from eosdsl.zoo.train_evaluate import accuracy

    examples: list[Example] = []
    for name in ("attr", "position", "multi"):
        examples += family(name).generate("test", 7, 8)
    assert accuracy(*loaded, examples, with_images=True) > 0.8
    assert accuracy(*loaded, examples, with_images=False) < 0.5


def test_saved_files_name_stock_classes() -> None:
    config = json.loads((FOLDER / "processor_config.json").read_text())
    assert config["processor_class"] == "Qwen2VLProcessor"
    assert config["image_processor"]["image_processor_type"] == "Qwen2VLImageProcessor"
    assert config["video_processor"]["video_processor_type"] == "Qwen2VLVideoProcessor"
    assert json.loads((FOLDER / "tokenizer_config.json").read_text())["processor_class"] == "Qwen2VLProcessor"


def test_images_of_other_sizes_have_their_own_tokens(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    image = np.asarray(Image.fromarray(_examples("attr", 1)[0].images[0]).crop((0, 0, 96, 48)))
    message = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "what shape is it ?"}]}]
    text = processor.apply_chat_template(message, add_generation_prompt=True)
    inputs = processor(images=[image], text=[text], return_tensors="pt")
    assert (inputs["input_ids"] == model.config.image_token_id).sum() == 6 * 12
    assert model.generate(**inputs, max_new_tokens=2).shape[0] == 1


def test_a_batch_with_one_and_two_images_is_reduced_like_each_alone(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    examples = [*_examples("attr", 2), *_examples("multi", 2)]
    with eosdsl.compile(HALF, model) as compiled:
        together = _answers(compiled.model, processor, examples)
        assert together == [_answers(compiled.model, processor, [one])[0] for one in examples]


def test_retaining_everything_changes_nothing(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    inputs = batch_inputs(processor, _examples("relation", 3))
    with torch.no_grad():
        before = model(**inputs).logits
        with eosdsl.compile(HALF.replace("50%", "100%"), model) as compiled:
            assert torch.equal(compiled.model(**inputs).logits, before)
        assert torch.equal(model(**inputs).logits, before)


def test_smaller_images_are_as_many_tokens_as_the_control_says(loaded: tuple[Any, Any]) -> None:
    model, processor = loaded
    small = batch_inputs(processor, _examples("attr", 2), pixels=(6 * 8, 8 * 8), shrink=True)
    assert (small["input_ids"] == model.config.image_token_id).sum(1).tolist() == [48, 48]
    blown_up = batch_inputs(processor, _examples("attr", 2), pixels=(6 * 8, 8 * 8))
    assert (blown_up["input_ids"] == model.config.image_token_id).sum(1).tolist() == [144, 144]


@pytest.mark.slow
def test_the_commands_take_it_by_name(tmp_path: Path) -> None:
    from eosdsl.cli.main import app

    spec, image = tmp_path / "half.eos", tmp_path / "scene.png"
    spec.write_text(HALF)
    example = _examples("attr", 1)[0]
    Image.fromarray(example.images[0]).save(image)
    model = ("--model", "tiny-qwen-vl")
    for command in (
        ("plan", str(spec), *model),
        ("compile", str(spec), *model, "--out", str(tmp_path / "out")),
        ("run", str(spec), *model, "--image", str(image), "--rounds", "1", "--prompt", example.question),
        (
            "eval",
            str(spec),
            *model,
            "--tasks",
            "attr",
            "--questions",
            "4",
            "--budgets",
            "64",
            "--rounds",
            "0",
            "--out",
            str(tmp_path / "eval"),
        ),
    ):
        result = CliRunner().invoke(app, list(command))
        assert result.exit_code == 0, (command, result.output)


def test_the_page_says_what_card_and_data_say() -> None:
    from eosdsl.evaluating.baselines import read_rows
    from eosdsl.evaluating.summary import MEAN

    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "zoo.md").read_text(encoding="utf-8")
    card = json.loads((FOLDER / "zoo.json").read_text())
    assert f"| {card['mean_accuracy']:.3f} | {card['mean_blind']:.3f} |" in page
    rows = read_rows(docs / "data" / "tiny-qwen-vl.csv")
    assert json.loads((docs / "data" / "tiny-qwen-vl.json").read_text())["model"] == "tiny-qwen-vl"
    for method in ("divprune", "dart", "random"):
        means = [row.accuracy for row in rows if (row.task, row.method) == (MEAN, method)]
        line = next(line for line in page.splitlines() if line.startswith(f"| {method} |"))
        assert means
        assert all(f"{mean:.3f} (" in line for mean in means)


def _examples(name: str, number: int) -> list[Example]:
    return list(family(name).generate("test", 3, number))


def _answers(model: Any, processor: Any, examples: list[Example]) -> list[str]:
    inputs = batch_inputs(processor, examples)
    sequences = model.generate(**inputs, max_new_tokens=4, do_sample=False)
    return processor.batch_decode(sequences[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
