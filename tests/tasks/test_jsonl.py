"""Data from files: both forms are read, and what is wrong is named with file and line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eosdsl.diagnostics import Severity, SpecError
from eosdsl.tasks.jsonl import load_jsonl


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Image.fromarray(np.full((8, 6, 3), 200, np.uint8)).save(tmp_path / "good.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("not an image")
    return tmp_path


def written(folder: Path, *lines: Any) -> Path:
    path = folder / "data.jsonl"
    path.write_text("\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines) + "\n")
    return path


GOOD = {"image": "good.png", "question": "what is it ?", "answer": "grey"}


def test_plain_lines_and_conversations(folder: Path) -> None:
    turns = [
        {"from": "human", "value": "<image>\nis it grey ?"},
        {"from": "gpt", "value": "yes"},
        {"from": "human", "value": "is it red ?"},
        {"from": "gpt", "value": " no "},
    ]
    path = written(folder, GOOD, "", {"id": "7", "image": ["good.png", "good.png"], "conversations": turns})
    loaded = load_jsonl(path)
    assert not loaded.skipped
    assert [(one.question, one.answer, len(one.images)) for one in loaded.examples] == [
        ("what is it ?", "grey", 1),
        ("is it grey ?", "yes", 2),
        ("is it red ?", "no", 2),
    ]
    assert loaded.examples[0].images[0].shape == (8, 6, 3)
    assert loaded.examples[2].meta["line"] == 3
    assert loaded.examples[2].meta["before"] == [("is it grey ?", "yes")]


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ({**GOOD, "image": "lost.png"}, "E0663", "no such file"),
        ({**GOOD, "image": "cut.png"}, "E0663", "damaged"),
        ({**GOOD, "image": "text.png"}, "E0663", "not an image"),
        ({**GOOD, "image": 5}, "E0662", "`image` needs a path"),
        ({"image": "good.png", "prompt": "x", "answer": "y"}, "E0662", "`question` is missing"),
        ({"image": "good.png", "question": "x", "answer": 3}, "E0662", "`answer` is missing or is not text"),
        ({"conversations": [{"from": "human", "value": "x"}]}, "E0662", "in turns"),
        ({"conversations": [{"from": "gpt", "value": "x"}] * 2}, "E0662", "message 1"),
        ('{"image": ', "E0661", "not JSON"),
        ("[1, 2]", "E0661", "JSON object is needed"),
    ],
)
def test_a_bad_line_is_named_and_skipped_only_when_asked(folder: Path, line: Any, code: str, words: str) -> None:
    path = written(folder, GOOD, line, GOOD)
    with pytest.raises(SpecError) as caught:
        load_jsonl(path)
    (problem,) = caught.value.diagnostics
    assert problem.code == code
    assert words in problem.message
    assert f"{path}:2:" in problem.message
    assert problem.span is not None
    assert (problem.span.file, problem.span.line) == (str(path), 2)
    loaded = load_jsonl(path, skip_bad=True)
    assert len(loaded.examples) == 2
    assert [one.code for one in loaded.skipped] == [code]


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_line_that_is_shown_is_the_bad_one(folder: Path, mark: str) -> None:
    path = folder / "lines.jsonl"
    bad = {**GOOD, "question": "wo ist der Bär?", "image": "lost.png"}
    rows = [json.dumps({**GOOD, "question": "weiß?"}, ensure_ascii=False), "", json.dumps(bad, ensure_ascii=False)]
    path.write_bytes((mark + "\r\n".join([*rows, '{"image": }', ""])).encode())
    with pytest.raises(SpecError) as caught:
        load_jsonl(path)
    shown = str(caught.value)
    assert "lost.png" in next(line for line in shown.splitlines() if line.startswith("3 | "))
    carets = shown.splitlines()[shown.splitlines().index('4 | {"image": }') + 1]
    assert carets.index("^") == len('4 | {"image": ')
    assert "2 bad lines in" in shown and "--skip-bad leaves them out" in shown


def test_what_was_skipped_is_a_warning(folder: Path) -> None:
    loaded = load_jsonl(written(folder, GOOD, "{"), skip_bad=True)
    assert [one.severity for one in loaded.skipped] == [Severity.WARNING]


def test_an_answer_that_the_tokenizer_cannot_write(folder: Path) -> None:
    path = written(folder, GOOD, {**GOOD, "answer": "taupe"})
    with pytest.raises(SpecError, match="cannot write the answer 'taupe'"):
        load_jsonl(path, can_write=lambda answer: answer == "grey")


def test_many_bad_lines_are_counted(folder: Path) -> None:
    path = written(folder, *["{"] * 50)
    with pytest.raises(SpecError) as caught:
        load_jsonl(path)
    assert len(caught.value.diagnostics) == 21
    assert "30 more bad lines" in caught.value.diagnostics[-1].message
    with pytest.raises(SpecError, match="50 bad lines were skipped"):
        load_jsonl(path, skip_bad=True)


def test_files_that_are_not_there_or_empty(folder: Path) -> None:
    with pytest.raises(SpecError, match="no such file"):
        load_jsonl(folder / "none.jsonl")
    with pytest.raises(SpecError) as caught:
        load_jsonl(written(folder))
    assert caught.value.diagnostics[0].code == "E0665"


def test_another_folder_of_images(folder: Path) -> None:
    (folder / "sub").mkdir()
    path = folder / "sub" / "data.jsonl"
    path.write_text(json.dumps(GOOD))
    assert len(load_jsonl(path, images=folder).examples) == 1
