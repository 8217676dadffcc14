"""The committed baseline table: the page is made of the data, the data keep to the budgets, nothing is left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from eosdsl.evaluating.baselines import csv_text, page_of, read_rows
from eosdsl.evaluating.baselines_page import Row, baselines_page
from eosdsl.evaluating.budgets import parse_budgets
from eosdsl.evaluating.statistics import Pairs, mcnemar
from eosdsl.resources import resource

DOCS = Path(__file__).resolve().parents[2] / "docs"
committed = pytest.mark.skipif(
    not (DOCS / "results.md").is_file(), reason="no baseline table is committed yet: make baselines"
)


def row(method: str, budget: str, accuracy: float, **more: Any) -> Row:
    values: dict[str, Any] = dict.fromkeys(Row.model_fields)
    given = {
        "side": f"{method}@{budget}" if budget else method,
        "method": method,
        "budget": budget,
        "task": "mean",
        "n": 100,
        "accuracy": accuracy,
        "low": accuracy - 0.05,
        "high": accuracy + 0.05,
        "fidelity": accuracy,
        "lost": 0,
        "won": 0,
        "p": 1.0,
        "tokens_measured": 16.0,
        "flops_ratio": 0.4,
        "kv_ratio": 0.2,
    }
    return Row.model_validate({**values, **given, **more})


ABOUT: dict[str, Any] = {
    "model": "m",
    "visual_tokens": 144,
    "settings": {"tasks": {"exist": 100}, "split": "test", "seed": 0, "weights": "w"},
    "origin": dict.fromkeys(
        ("processor", "machine", "cores", "threads", "python", "eosdsl", "torch", "transformers", "numpy"), "x"
    ),
    "unreached": [{"method": "fastv", "budget": "64", "reason": "layers take it"}],
}


def told(smaller: float, about: dict[str, Any] = ABOUT, **of_good: Any) -> str:
    means = [row("full", "", 0.9), row("blind", "", 0.3), row("no visual tokens", "", 0.3)]
    means += [row("downsample", "64", smaller), row("uniform", "64", 0.5), row("good", "64", 0.7, **of_good)]
    return baselines_page([*means, *(one.model_copy(update={"task": "exist"}) for one in means)], about)


def test_the_page_says_what_the_numbers_say() -> None:
    page = told(0.6, p_uniform=0.0, better_than_uniform=True, p_holm=0.001)
    assert "plain down-sampling reaches 60.0%, 1 of 1 methods more" in page
    assert "of 1 methods 1 are better than that and 0 worse" in page
    assert "0 cannot be told from the full model by" in page
    assert r"| `good` | **70.0%**\* ↑ 65–75, 16 |" in page
    assert "| `fastv` | (1) |" in page
    assert "1. Layers take it." in page


def test_what_a_method_cannot_mean_on_this_model_is_said() -> None:
    ran = {"good@64": "at input: retain 25% by negate(relevance(text))"}
    assert "- `good`: [W0395](rules.md)." in told(0.6, {**ABOUT, "specs": ran})
    assert "cannot mean" not in told(0.6, {**ABOUT, "specs": {"good@64": "at input: retain 25% by norm(hidden)"}})


def test_where_down_sampling_beats_everything_the_page_says_so() -> None:
    assert "plain down-sampling beats every method" in told(0.8)


def test_rows_are_written_and_read_back(tmp_path: Path) -> None:
    rows = [row("good", "64", 0.7, p_holm=0.5, better_than_uniform=False), row("full", "", 0.9, hard_n=3)]
    (tmp_path / "rows.csv").write_text(csv_text(rows), encoding="utf-8")
    assert read_rows(tmp_path / "rows.csv") == rows


@committed
def test_the_page_is_made_of_the_committed_data() -> None:
    assert (DOCS / "results.md").read_text(encoding="utf-8") == page_of(DOCS)


@committed
def test_budgets_are_kept_and_every_method_is_there() -> None:
    rows = read_rows(DOCS / "data" / "baselines.csv")
    page = (DOCS / "results.md").read_text(encoding="utf-8")
    for one in rows:
        if one.budget and one.method != "lowres":
            assert one.tokens_measured <= float(parse_budgets(one.budget)[0].tokens(144)) + 1e-6, one.side
        assert one.p == pytest.approx(mcnemar(Pairs(0, one.lost, one.won, 0)), abs=1e-6)
        assert one.low - 1e-9 <= one.accuracy <= one.high + 1e-9
    for path in (resource("specs") / "methods").glob("*.eos"):
        assert f"`{path.stem}`" in page or f"*{path.stem}*" in page, path.stem
