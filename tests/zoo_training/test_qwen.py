"""tiny-qwen-vl's training sees what the model itself will see: same patches, same positions, same features."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from eosdsl.tasks.base import MEDIUM
from eosdsl.tasks.scene import BANDS, GRID, labels
from eosdsl.zoo.tiny_qwen_vl import VISION_END, WORD_IDS, fresh_model, processor
from eosdsl.zoo.train_align import to_pixels
from eosdsl.zoo.train_attention import NAME, register
from eosdsl.zoo.train_batch import make_batch
from eosdsl.zoo.train_loop import Pace, Progress, run_stage
from eosdsl.zoo.train_mrope import Language, cell_rows, forward, positions, shared_embeddings
from eosdsl.zoo.train_packs import LEVELS, make_pack
from eosdsl.zoo.train_place import crowd, first_layer, place_loss
from eosdsl.zoo.train_qwen import READ, START, Align, Join, Read, crowded_scene, quarters
from eosdsl.zoo.train_qwen_tower import encode, to_patches
from eosdsl.zoo.train_read import answer_logits
from eosdsl.zoo.trainees import Recipe

SHORT = Pace(steps=2, cool=1, muon=1e-3, adam=1e-3)


def silent(stage: str, progress: Progress, loss: float) -> None:
    pass


@pytest.fixture(scope="module")
def read() -> Read:
    return Read(0, SHORT)


def test_the_vocabulary_is_tiny_llavas_and_three_tokens_more() -> None:
    theirs = json.loads((START / "tokenizer.json").read_text())["model"]["vocab"]
    renamed = {"<|image_pad|>" if word == "<image>" else word: index for word, index in theirs.items()}
    assert list(WORD_IDS.items())[:-3] == list(renamed.items())
    assert sorted(WORD_IDS.values()) == list(range(len(theirs) + 3))


@pytest.mark.parametrize("size", [(96, 96), (48, 96), (56, 24)])
def test_patches_and_features_are_those_of_processor_and_model(size: tuple[int, int]) -> None:
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    make: Any = processor().image_processor
    own: Any = make(images=[image], return_tensors="pt")
    pixels = to_pixels(torch.from_numpy(image)[None])
    torch.testing.assert_close(to_patches(pixels)[0], own["pixel_values"])
    model: Any = fresh_model(0).model
    with torch.no_grad():
        features = model.visual(own["pixel_values"], grid_thw=own["image_grid_thw"]).pooler_output
        torch.testing.assert_close(encode(model.visual, pixels)[0], features, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["objects", "multi"])
def test_a_pack_gives_the_logits_of_the_whole_model(kind: str) -> None:
    """Packed questions on one block against the model on one prompt: positions, vision tokens, attention."""
    register()
    model: Any = fresh_model(3)
    rng = Random(1)
    pack = make_pack(next(one for one in LEVELS[-1] if one.name == kind), rng, MEDIUM)
    batch = make_batch([pack], GRID * GRID, rng)
    pixels = torch.randn(batch.images, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    patches = to_patches(pixels).flatten(0, 1)
    grid = torch.tensor([[1, 24, 24]] * batch.images)
    message = [{"type": "image"}] * batch.images
    with torch.no_grad():
        cells = encode(model.model.visual, pixels)[None]
        for index, question in enumerate(pack.questions[:2]):
            said: Any = [{"role": "user", "content": [*message, {"type": "text", "text": question.text}]}]
            text = processor().apply_chat_template(said, add_generation_prompt=True)
            make: Any = processor()
            blank = [np.zeros((96, 96, 3), dtype=np.uint8)] * batch.images
            inputs: Any = make(images=[blank], text=[text], return_tensors="pt", add_special_tokens=False)
            inputs["pixel_values"], inputs["image_grid_thw"] = patches, grid
            whole = model(**inputs).logits[0, -1]
            language = Language(model)
            language.model.set_attn_implementation(NAME)
            due = (batch.targets[0, index] != -100).nonzero()[0, 0]
            before = int((batch.targets[0, :index] != -100).sum())
            packed = forward(language, batch, cells)[before]
            model.set_attn_implementation({"text_config": "sdpa"})
            assert batch.text[0, index, due] == WORD_IDS["assistant"]
            torch.testing.assert_close(packed, whole, atol=1e-4, rtol=1e-4)


def test_dropped_cells_leave_gaps_in_rows_and_columns() -> None:
    rng = Random(0)
    batch = make_batch([make_pack(LEVELS[2][0], rng, MEDIUM)], 44, rng)
    found, rows = positions(batch)[:, 0], cell_rows(batch)[0]
    assert rows.tolist() == list(range(5, 49))
    assert torch.equal(found[0, rows], torch.full((44,), 5))
    assert torch.equal(found[1, rows] - 5, batch.cells[0, 0] // GRID)
    assert torch.equal(found[2, rows] - 5, batch.cells[0, 0] % GRID)
    assert found[:, 49].tolist() == [5 + GRID] * 3


def test_the_first_layer_tells_places_before_any_training(read: Read) -> None:
    """On random cells that do not say where they are, in one image and in two; words come out nearly as they went."""
    generator = torch.Generator().manual_seed(5)
    for images in (1, 2):
        batch = crowd(images, 4, generator)
        cells = read.codes.content(batch.kinds, batch.colors, batch.parts)
        with torch.no_grad():
            before, hidden = first_layer(read.language, batch, cells)
            _, right = place_loss(before, hidden, batch, read.codes)
        assert right.float().mean() > 0.95
        words = torch.ones(before.shape[1], dtype=torch.bool)
        words[cell_rows(batch).flatten()] = False
        assert (hidden - before)[:, words].square().mean() < 0.2 * before[:, words].square().mean()


def test_tiny_llavas_skills_are_there_before_any_training(read: Read) -> None:
    rng = Random(2)
    hits: dict[str, list[int]] = {}
    for kind in READ:
        if kind.name not in ("objects", "multi"):
            continue
        batch = make_batch([make_pack(kind, rng, MEDIUM)], kind.cells, rng)
        cells = read.codes.content(batch.kinds, batch.colors, batch.parts)
        with torch.no_grad():
            shared = shared_embeddings(read.language, batch, cells)
            logits = answer_logits(read.language, batch, shared, positions(batch))
        due = batch.targets != -100
        first = due & (due.cumsum(-1) == 1)
        right = (logits.argmax(-1) == batch.targets[due])[first[due]]
        for family, good in zip(batch.families[0], right.tolist(), strict=True):
            hits.setdefault(family, []).append(good)
    sure = [good for family in ("exist", "relation", "position", "multi") for good in hits.get(family, [])]
    assert sum(sure) / len(sure) > 0.85


def test_training_leaves_the_first_layer_alone(read: Read) -> None:
    trained = {name for name, _ in read.parameters()}
    assert not any(name.startswith(("model.layers.0.", "model.embed_tokens")) for name in trained)
    assert {"model.layers.1.self_attn.q_proj.bias", "lm_head.weight"} <= trained
    join = Join(0, SHORT, read, Align(0, SHORT))
    names = {name for name, _ in join.parameters()}
    assert "model.visual.merger.mlp.0.weight" in names
    assert not any("language_model.layers.0." in name for name in names)
    assert torch.equal(join.language.model.embed_tokens.weight[VISION_END], join.language.model.embed_tokens.weight[
        WORD_IDS[","]
    ])  # fmt: skip


def test_quarters_are_images_with_their_labels() -> None:
    scene = crowded_scene(Random(4))
    assert len(scene.items) > BANDS * BANDS // 2
    kinds = torch.tensor(labels(scene)[0]).view(1, GRID, GRID)
    parts = quarters(kinds)
    assert parts.shape == (4, GRID // 2, GRID // 2)
    assert torch.equal(parts[1], kinds[0, : GRID // 2, GRID // 2 :])
    assert torch.equal(parts[2], kinds[0, GRID // 2 :, : GRID // 2])


@pytest.mark.slow
def test_resuming_gives_the_weights_of_an_unbroken_run(tmp_path: Path) -> None:
    whole = Align(3, SHORT)
    assert run_stage(whole, tmp_path / "whole", 3, silent)
    resumed = Align(3, SHORT)
    while not run_stage(resumed, tmp_path / "broken", 3, silent, stop_after=0.0):
        resumed = Align(3, SHORT)
    for (name, a), (_, b) in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b), name


@pytest.mark.slow
def test_the_command_trains_writes_and_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import eosdsl.zoo.train
    from eosdsl.cli.main import app
    from eosdsl.evaluating.loading import load

    short = Recipe(SHORT, SHORT, SHORT, questions=2)
    monkeypatch.setattr(eosdsl.zoo.train, "recipe_of", lambda *_: short)
    out = tmp_path / "tiny"
    result = CliRunner().invoke(app, ["zoo", "train", "tiny-qwen-vl", "--out", str(out), "-q"])
    assert result.exit_code == 0, result.output
    _, facts, model, _ = load(str(out))
    assert (facts.family, facts.grid, len(model.model.language_model.layers)) == ("qwen2_vl", (12, 12), 9)
    assert json.loads((out / "zoo.json").read_text())["name"] == "tiny-qwen-vl"
