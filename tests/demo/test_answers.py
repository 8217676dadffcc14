"""The demonstration's questions: what it says was said is what the model says, on what it says was kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from eosdsl.demo.answers import METHODS, PICTURES, Gallery, answer_sheet, ask_pictures, program_of
from eosdsl.evaluating.budgets import parse_budgets
from eosdsl.evaluating.evaluate import Settings, evaluate
from eosdsl.evaluating.suites import candidate_of
from eosdsl.resources import resource
from eosdsl.tasks.base import correct


@pytest.fixture(scope="module")
def gallery() -> Gallery:
    return ask_pictures()


def test_the_full_model_is_right_and_what_is_lost_differs(gallery: Gallery) -> None:
    assert [one.example.family for one in gallery.shown] == [name for name, _ in PICTURES]
    lost: list[int] = []
    for one in gallery.shown:
        assert correct(one.full, one.example.answer), "the demonstration asks what the model can answer"
        lost.append(sum(not correct(answer, one.example.answer) for answer, _ in one.reduced.values()))
        assert all(len(set(kept)) == 16 and max(kept) < 144 for _, kept in one.reduced.values())
    assert min(lost) == 0 and max(lost) == len(METHODS)


def test_answers_are_those_of_an_evaluation(gallery: Gallery, tmp_path: Path) -> None:
    """By the other door, in batches: the questions of a family at 64 of 576 tokens, which are 16 of 144."""
    methods = [candidate_of(resource("specs") / "methods" / f"{name}.eos", "llava-1.5-7b") for name in METHODS]
    asked = Settings(tasks=("ocr",), questions=3, batch=3, max_new_tokens=8, rounds=0, controls=False)
    made = evaluate(methods, "tiny-llava", tmp_path / "out", parse_budgets("64"), asked)
    given = {(one.side, one.index): one.given for one in made.records}
    for one in (one for one in gallery.shown if one.example.family == "ocr"):
        number = one.example.meta["index"]
        assert given["full", number] == one.full
        assert {name: given[f"{name}@64", number] for name in METHODS} == {
            name: answer for name, (answer, _) in one.reduced.items()
        }


def test_every_program_keeps_sixteen() -> None:
    from eosdsl.cost.plan import plan

    assert {plan(program_of(name), "tiny-llava").mean_tokens for name in METHODS} == {16}


def test_the_sheet_shows_what_was_kept(gallery: Gallery) -> None:
    """In each panel of the first picture, cells that stayed are as bright as in the picture, others are dark."""
    sheet = np.asarray(answer_sheet(gallery).convert("L"), dtype=float)
    one, scale = gallery.shown[0], sheet.shape[1] / (4 * 418 + 18)
    for panel, (_, kept) in enumerate(one.reduced.values(), 1):
        left, top = (18 + 418 * panel) * scale, 46 * scale
        cells = {
            token: sheet[_middle(top, token // 12, scale), _middle(left, token % 12, scale)].mean()
            for token in range(144)
        }
        bright = [cells[token] for token in kept]
        dark = [value for token, value in cells.items() if token not in kept]
        assert np.median(bright) > 1.5 * np.median(dark)


def _middle(start: float, place: int, scale: float) -> slice:
    """The pixels in the middle of a cell."""
    cell = 400 / 12 * scale
    return slice(round(start + (place + 0.3) * cell), round(start + (place + 0.7) * cell))
