"""Folders of data: image folders with metadata, and what Hugging Face's `datasets` saves."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eosdsl.diagnostics import SpecError
from eosdsl.tasks.folders import load_folder

needs_datasets = pytest.mark.skipif(find_spec("datasets") is None, reason="the package datasets is not installed")


def test_an_image_folder_with_metadata(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), "red").save(tmp_path / "a.png")
    rows = [{"file_name": "a.png", "question": "what ?", "answer": "red"}, {"file_name": "b.png", "question": "?"}]
    (tmp_path / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    loaded = load_folder(tmp_path, skip_bad=True)
    assert loaded.examples[0].images[0].shape == (4, 5, 3)
    assert [one.code for one in loaded.skipped] == ["E0662"]
    with pytest.raises(SpecError):
        load_folder(tmp_path)


def test_a_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(SpecError) as caught:
        load_folder(tmp_path)
    assert caught.value.diagnostics[0].code == "E0669"


@pytest.mark.skipif(find_spec("datasets") is not None, reason="the package datasets is installed")
def test_without_datasets_it_says_so(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(SpecError) as caught:
        load_folder(tmp_path)
    assert caught.value.diagnostics[0].code == "E0698"
    assert "datasets" in caught.value.diagnostics[0].message


@needs_datasets
def test_what_datasets_saved(tmp_path: Path) -> None:
    import datasets  # pyright: ignore[reportMissingImports]

    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8))
    rows = {
        "image": [picture, picture],
        "question": ["what ?", "where ?"],
        "answer": ["noise", ""],
    }
    features = datasets.Features(
        {"image": datasets.Image(), "question": datasets.Value("string"), "answer": datasets.Value("string")}
    )
    made = datasets.DatasetDict(
        {name: datasets.Dataset.from_dict(rows, features=features) for name in ("train", "test")}
    )
    made.save_to_disk(tmp_path / "saved")
    loaded = load_folder(tmp_path / "saved", skip_bad=True)
    (example,) = loaded.examples
    assert np.array_equal(example.images[0], np.asarray(picture))
    assert (example.question, example.answer) == ("what ?", "noise")
    assert "row 1" in loaded.skipped[0].message
