"""Difficulty on the command line: a level, and what is to differ from it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from eosdsl.cli.main import app
from eosdsl.diagnostics import SpecError
from eosdsl.tasks.base import HARD, MEDIUM, Difficulty
from eosdsl.tasks.difficulty import FIELDS, parse_difficulty


def test_a_level_and_changes() -> None:
    assert parse_difficulty("medium") == MEDIUM
    made = parse_difficulty("hard, clutter=0.5, objects=4-8, images=4, canvas=24, length=2")
    assert (made.clutter, made.objects, made.images, made.canvas, made.length) == (0.5, (4, 8), 4, 24, (2, 2))
    assert (made.small, made.contrast) == (HARD.small, HARD.contrast)


def test_every_field_can_be_set() -> None:
    assert set(FIELDS) == {one.name for one in fields(Difficulty)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("awful", "no difficulty `awful`"),
        ("medium,cluter=0.5", "did you mean `clutter`?"),
        ("medium,objects=many", "`many` is no value of `objects`"),
        ("medium,objects=8-4", "`objects` cannot be 8-4"),
        ("medium,small=2", "`small` cannot be 2"),
        ("medium,canvas=13", "an even number"),
        ("medium,images", "`` is no value of `images`"),
    ],
)
def test_what_is_none(text: str, words: str) -> None:
    with pytest.raises(SpecError, match=words.replace("?", r"\?")) as caught:
        parse_difficulty(text)
    assert caught.value.diagnostics[0].code == "E0683"


def test_questions_are_exported_at_it(tmp_path: Path) -> None:
    asked = ("tasks", "export", "--tasks", "needle", "--questions", "2", "--out", str(tmp_path / "out"))
    done = CliRunner().invoke(app, [*asked, "--difficulty", "hard,canvas=36"])
    assert done.exit_code == 0, done.output
    from PIL import Image

    with Image.open(tmp_path / "out" / "images" / "needle-0-0.png") as picture:
        assert picture.size == (288, 288)
