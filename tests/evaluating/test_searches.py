"""The committed results of searches: the page is made of the data, the data keep to budgets, intervals are right."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eosdsl
from eosdsl.evaluating.searches import page_of
from eosdsl.evaluating.searches_page import searches_page
from eosdsl.evaluating.statistics import Pairs, difference_interval
from eosdsl.models.registry import facts
from eosdsl.zoo import tiny_llava

ROOT = Path(__file__).resolve().parents[2]
DOCS, DERIVED = ROOT / "docs", ROOT / "specs" / "derived"
committed = pytest.mark.skipif(not (DOCS / "search-results.md").is_file(), reason="no searches: make searches")


def against(difference: float, low: float, high: float, other: str = "full") -> dict[str, Any]:
    return {"other": other, "difference": difference, "low": low, "high": high, "lost": 3, "won": 4, "p": 0.5}


def row(method: str, budget: int, accuracy: float, **more: Any) -> dict[str, Any]:
    return {
        "name": f"{method}-{budget}-0",
        "method": method,
        "budget": budget,
        "seed": 0,
        "accuracy": accuracy,
        "low": accuracy - 0.02,
        "high": accuracy + 0.02,
        "tokens": budget,
        "families": {"exist": accuracy},
        "full": against(accuracy - 0.9, -0.1, 0.0),
        "best": against(accuracy - 0.7, 0.01, 0.2, "good"),
        "forwards": 100,
        "deriving": 50,
        "seconds": 3.0,
        "gap": None,
        "flops_ratio": 0.3,
        "prefill_ratio": 2.0,
        "spec": "operator o\nat layer 0: retain 4 tokens by norm(hidden)\n",
        **more,
    }


def data(*rows: dict[str, Any]) -> dict[str, Any]:
    origin = ("processor", "machine", "cores", "threads", "python", "eosdsl", "torch", "transformers", "numpy")
    return {
        "model": "m",
        "visual_tokens": 144,
        "settings": {"tasks": {"exist": 50}, "split": "test", "weights": "w"},
        "origin": dict.fromkeys(origin, "x"),
        "image_tasks": ["exist"],
        "full": {"accuracy": 0.9, "low": 0.88, "high": 0.92, "families": {"exist": 0.9}},
        "rows": list(rows),
        "methods": [
            {"method": name, "budget": 16, "accuracy": accuracy, "low": 0.6, "high": 0.8, "tokens": 16.0}
            for name, accuracy in (("good", 0.7), ("bad", 0.3))
        ],
    }


def test_the_bar_is_said_to_be_met_or_not_by_the_numbers() -> None:
    met = searches_page(data(row("relaxed", 16, 0.88)))
    assert "2.0 points below the full model (3 allowed: met)" in met and "+18.0 against `good`" in met
    missed = searches_page(data(row("relaxed", 16, 0.71)))
    assert "(3 allowed: **not met**)" in missed and "+1.0 against `good` (+2 asked for: **not met**" in missed


def test_ways_of_searching_stand_beside_each_other() -> None:
    page = searches_page(data(row("relaxed", 16, 0.88), row("tpe", 16, 0.9), row("relaxed", 4, 0.8, best=None)))
    assert "| by gradient | 88.0 | 80.0 |" in page and "| TPE | 90.0 | – |" in page
    assert "**64 of 576**: the gradient -2.0 against the best of the others, TPE." in page
    near = searches_page(data(row("relaxed", 16, 0.895), row("tpe", 16, 0.9)))
    assert "the gradient -0.5 against the best of the others, TPE; all are within 0.5 points of the full model" in near


def test_the_interval_of_a_difference_is_that_of_drawing_questions() -> None:
    families = [Pairs(30, 10, 4, 6), Pairs(20, 2, 9, 19)]
    found = difference_interval(families)
    rng = np.random.default_rng(1)
    drawn: list[float] = []
    for _ in range(4000):
        means: list[float] = []
        for one in families:
            each = np.repeat([0, -1, 1, 0], [one.both, one.first, one.second, one.neither])
            means.append(float(rng.choice(each, one.n).mean()))
        drawn.append(float(np.mean(means)))
    low, high = np.percentile(drawn, [2.5, 97.5])
    assert found.low == pytest.approx(low, abs=0.015) and found.high == pytest.approx(high, abs=0.015)


def test_what_was_found_is_told_of_another_model_beside_it() -> None:
    other = {"name": "relaxed-16-0", "model": "q", "questions": 600, "tokens": 17.0, "full_accuracy": 0.95, "spec": ""}
    other |= {"accuracy": 0.93, "low": 0.9, "high": 0.96, "full": against(-0.02, -0.03, 0.0)}
    page = searches_page({**data(row("relaxed", 16, 0.88)), "transfer": [other]})
    assert "## Found on m, run on q" in page and "| 64 of 576 | 0 | 17 | 93.0 90.0–96.0 | -2.0 (-3.0 to +0.0) |" in page


@committed
def test_the_page_is_made_of_the_data() -> None:
    assert (DOCS / "search-results.md").read_text(encoding="utf-8") == page_of(DOCS)


@committed
def test_what_was_found_keeps_to_its_budget_by_the_plan_and_when_measured() -> None:
    known = facts(tiny_llava.config())
    for one in json.loads((DOCS / "data" / "searches.json").read_text(encoding="utf-8"))["rows"]:
        assert one["tokens"] <= one["budget"] + 1e-6, one["name"]
        assert eosdsl.plan(one["spec"], known).mean_tokens <= one["budget"], one["name"]


@committed
def test_every_derived_spec_is_in_the_data() -> None:
    rows = {one["name"]: one for one in json.loads((DOCS / "data" / "searches.json").read_text("utf-8"))["rows"]}
    paths = sorted(DERIVED.glob("*.eos"))
    assert paths
    for path in paths:
        assert path.read_text(encoding="utf-8") == rows[path.stem]["spec"]
