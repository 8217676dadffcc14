"""What is exported is what was asked: read back by our own reader, and by the rules of the others' formats."""

from __future__ import annotations

import ast
import base64
import csv
import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.tasks.base import Example
from eosdsl.tasks.jsonl import load_jsonl
from eosdsl.tasks.registry import families, family


def run(*arguments: object) -> Any:
    return CliRunner().invoke(app, ["tasks", *map(str, arguments)])


def asked(name: str) -> list[Example]:
    return list(family(name).generate("test", 5, 4))


def exported(out: Path, form: str) -> Any:
    done = run("export", "--tasks", "exist,multi", "--questions", 4, "--seed", 5, "--format", form, "--out", out)
    assert done.exit_code == 0, done.output
    return done


def test_lines_are_read_back(tmp_path: Path) -> None:
    exported(tmp_path / "out", "eosdsl")
    for name in ("exist", "multi"):
        found = load_jsonl(tmp_path / "out" / f"{name}.jsonl").examples
        for one, wanted in zip(found, asked(name), strict=True):
            assert (one.question, one.answer) == (wanted.question, wanted.answer)
            assert all(np.array_equal(a, b) for a, b in zip(one.images, wanted.images, strict=True))


def test_a_task_of_lmms_eval(tmp_path: Path) -> None:
    """The YAML names data that exists by absolute path; its functions do what lmms-eval calls them for."""
    out = tmp_path / "out"
    exported(out, "lmms-eval")
    text = (out / "eosdsl_multi.yaml").read_text(encoding="utf-8").replace("!function ", "")
    task = yaml.safe_load(text)
    assert task["task"] == "eosdsl_multi"
    rows = load_jsonl(task["dataset_kwargs"]["data_files"]["test"]).examples
    assert [row.question for row in rows] == [one.question for one in asked("multi")]
    spec = importlib.util.spec_from_file_location("exported_utils", out / "utils.py")
    assert spec is not None and spec.loader is not None
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    doc = {"image": ["images/multi-0-0.png", "images/multi-0-1.png"], "question": "which ?", "answer": "2"}
    shown = [np.asarray(image) for image in utils.doc_to_visual(doc)]
    assert all(np.array_equal(a, b) for a, b in zip(shown, asked("multi")[0].images, strict=True))
    assert utils.doc_to_text(doc, {"post_prompt": "\nBriefly."}) == "which ?\nBriefly."
    assert utils.process_results(doc, [" 2. "]) == {"exact": 1.0}
    assert utils.process_results(doc, ["12"]) == {"exact": 0.0}


def test_a_sheet_of_vlmevalkit(tmp_path: Path) -> None:
    exported(tmp_path / "out", "vlmevalkit")
    for name, images in (("exist", 1), ("multi", 2)):
        with (tmp_path / "out" / f"eosdsl_{name}.tsv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        assert [row["index"] for row in rows] == ["0", "1", "2", "3"]
        for row, wanted in zip(rows, asked(name), strict=True):
            coded = ast.literal_eval(row["image"]) if images > 1 else [row["image"]]
            assert len(coded[0]) > 64, "shorter would be taken for the index of another row"
            for one, image in zip(coded, wanted.images, strict=True):
                with Image.open(io.BytesIO(base64.b64decode(one))) as picture:
                    assert np.array_equal(np.asarray(picture), image)
            assert (row["question"], row["answer"]) == (wanted.question, wanted.answer)


def test_an_export_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    out = tmp_path / "out"
    exported(out, "vlmevalkit")
    exported(out, "eosdsl")
    assert not list(out.glob("*.tsv"))
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "thesis.tex").touch()
    done = run("export", "--tasks", "exist", "--out", tmp_path / "own")
    assert done.exit_code == 2
    assert "E0608" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("--format", "xml"), "E0685"), (("--tasks", "exsit"), "E0660"), (("--split", "dev"), "E0683")],
)
def test_what_cannot_be_exported(tmp_path: Path, arguments: tuple[str, ...], code: str) -> None:
    done = run("export", "--out", tmp_path / "out", "--tasks", "exist", *arguments)
    assert done.exit_code == 2
    assert code in done.stderr
    assert not (tmp_path / "out").exists()


def test_every_family_is_listed() -> None:
    done = run("list")
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stdout.splitlines()] == list(families())
