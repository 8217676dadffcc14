"""Published results beside one's own: cited data of other models on other questions, never evidence about this one.

`data/published_results.csv` holds scores as papers print them, each row with its source. The same method at the same
budget differs between papers (FastV at 64: 71.3 copied, 75.2 re-run), so that every source keeps its own point. Tokens
are what the source says, which is often not the mean entering.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eosdsl.evaluating.evaluate import Evaluation

TABLE = Path(__file__).with_name("data") / "published_results.csv"
MODEL, TOKENS = "LLaVA-1.5-7B", 576
NAMES = {
    "cdpruner": "CDPruner",
    "dart": "DART",
    "divprune": "DivPrune",
    "fastervlm": "FasterVLM",
    "fastv": "FastV",
    "hired": "HiRED",
    "mustdrop": "MustDrop",
    "prumerge": "LLaVA-PruMerge",
    "prumerge_plus": "PruMerge+",
    "pyramiddrop": "PyramidDrop",
    "sparsevlm_v10": "SparseVLM",
    "sparsevlm_v15": "SparseVLM",
    "tome": "ToMe",
    "trim": "TRIM",
    "visionzip": "VisionZip",
    "vispruner": "VisPruner",
}
"""Specs of `specs/methods` and what papers call them; `…_as_published` goes with its clean form."""
_FULL, _AVERAGE = "Vanilla", "AVERAGE"


@dataclass(frozen=True, slots=True)
class Published:
    """A cited point. `share`: nominal tokens of 576; `relative`: average over the source's benchmarks, to its full
    model."""

    method: str
    tokens: int
    share: float
    relative: float
    source: str


def points_for(made: Evaluation) -> tuple[Published, ...]:
    """What is published on LLaVA-1.5-7B of the methods and at the budgets of an evaluation."""
    wanted = {_published_name(side.method) for side in made.sides} - {None}
    budgets = {gap.budget for gap in made.gaps} | {side.budget for side in made.sides}
    return tuple(one for one in published() if one.method in wanted and str(one.tokens) in budgets)


@cache
def published() -> tuple[Published, ...]:
    """All averages on LLaVA-1.5-7B, relative to the full model of the same source."""
    rows = [row for row in _rows() if row["model"] == MODEL and row["benchmark"].startswith(_AVERAGE)]
    full = {row["source"]: float(row["relative"]) for row in rows if row["method"] == _FULL}
    return tuple(
        Published(
            row["method"],
            int(row["tokens"]),
            int(row["tokens"]) / TOKENS,
            # a source's average is in per cent of its full model, or in points like its full model's
            float(row["relative"]) / full.get(row["source"], 100.0),
            row["source"],
        )
        for row in rows
        if row["tokens"].isdigit() and row["relative"] and row["method"] != _FULL
    )


def _published_name(method: str) -> str | None:
    return NAMES.get(method.removesuffix("_as_published"))


def _rows() -> Sequence[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
