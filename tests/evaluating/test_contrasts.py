"""The table of docs/tasks.md: made of its data, and each of its three claims held by a paired test."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from eosdsl.evaluating.contrasts import (
    BEGIN,
    CONTRASTS,
    DATA,
    END,
    FINE,
    GUIDED,
    REDUNDANT,
    SINGLE,
    block,
    export,
    with_block,
)
from eosdsl.evaluating.records import Record, lines
from eosdsl.evaluating.statistics import Pairs, mcnemar

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return json.loads((DOCS / DATA).read_text(encoding="utf-8"))


def test_the_page_is_made_of_the_data(found: dict[str, Any]) -> None:
    assert block(found) in (DOCS / "tasks.md").read_text(encoding="utf-8")
    kept = ("claim", "task", "first", "second")
    assert [{key: row[key] for key in kept} for row in found["rows"]] == [asdict(one) for one in CONTRASTS]


def test_every_number_follows_from_the_counts(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        assert row["p"] == pytest.approx(mcnemar(Pairs(0, row["only_first"], row["only_second"], 0)), abs=1e-6)
        gained = (row["only_second"] - row["only_first"]) / row["n"]
        assert row["second_accuracy"] - row["first_accuracy"] == pytest.approx(gained, abs=2e-4)


def test_each_claim_is_shown(found: dict[str, Any]) -> None:
    for row in found["rows"]:
        if row["claim"] in (FINE, GUIDED, SINGLE):
            assert row["second_accuracy"] - row["first_accuracy"] > 0.1 and row["p"] < 0.05, row
        if row["claim"] == REDUNDANT:
            assert row["first_accuracy"] > row["second_accuracy"] - 0.05, row
        assert row["full"] - row["blind"] > 0.3


def test_rows_from_a_folder(tmp_path: Path) -> None:
    """Two questions a family: the first side has one right, the second both, blind none."""
    right = {"full": (True, True), "blind": (False, False)}
    sides = {**right, **{one.first: (True, False) for one in CONTRASTS}}
    sides = {**sides, **{one.second: (True, True) for one in CONTRASTS if one.second != "full"}}
    records = [
        Record(side, side, "", task, index, "q", "a", "a", answer, 1.0, 1)
        for side, answers in sides.items()
        for task in {one.task for one in CONTRASTS}
        for index, answer in enumerate(answers)
    ]
    (tmp_path / "results.jsonl").write_text(lines(records))
    settings = dict.fromkeys(("model", "weights", "split", "difficulty", "seed", "tasks"), "x")
    cells = [{"task": one.task, "chance": 0.25} for one in CONTRASTS]
    summary = {"settings": settings, "cells": cells, "origin": {}, "sides": [{"side": "full", "spec": None}]}
    (tmp_path / "summary.json").write_text(json.dumps(summary))
    row = export(tmp_path)["rows"][0]
    assert (row["n"], row["first_accuracy"], row["second_accuracy"], row["blind"]) == (2, 0.5, 1.0, 0.0)
    assert (row["only_first"], row["only_second"], row["chance"]) == (0, 1, 0.25)


def test_a_page_keeps_what_stands_around_its_table(found: dict[str, Any]) -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert with_block(page, found) == f"before\n{block(found)}\nafter\n"
    assert with_block(with_block(page, found), found) == with_block(page, found)
