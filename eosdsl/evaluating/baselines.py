"""The baseline table: an evaluation's folder as committed data, and that data as a page.

    python -m eosdsl.evaluating.baselines FOLDER docs     # writes docs/data/baselines.{csv,json} and docs/results.md

The page is made of the data alone, so that a test can hold it against them.
"""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from eosdsl.evaluating.baselines_page import Row, baselines_page
from eosdsl.evaluating.records import RESULTS, Record, read_records
from eosdsl.evaluating.sides import FULL
from eosdsl.evaluating.statistics import Pairs, mcnemar
from eosdsl.evaluating.summary import MEAN
from eosdsl.writing import write_text

DATA, CSV, JSON, PAGE = "data", "baselines.csv", "baselines.json", "results.md"
CONTROL, SMALLER = "uniform", "downsample"


def export(folder: Path) -> tuple[list[Row], dict[str, Any]]:
    """Rows of the table and what is to be known of them, from a folder that `eosdsl eval` wrote."""
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    right = _right(list(read_records(folder / RESULTS)))
    needs = set(summary["image_tasks"])
    sides = {side["side"]: side for side in summary["sides"]}
    speeds = {speed["side"]: speed for speed in summary["speeds"]}
    rows = [_row(cell, sides[cell["side"]], speeds.get(cell["side"]), right, needs) for cell in summary["cells"]]
    about = {key: summary[key] for key in ("model", "visual_tokens", "text_tokens", "settings", "origin", "unreached")}
    about["settings"] = {key: value for key, value in about["settings"].items() if key != "specs"}
    about["specs"] = {side["side"]: side["spec"] for side in summary["sides"] if side["spec"]}
    about["turned"] = {side["side"]: side["turned"] for side in summary["sides"] if side["turned"]}
    return rows, about


def _row(
    cell: Mapping[str, Any],
    side: Mapping[str, Any],
    speed: Mapping[str, Any] | None,
    right: Mapping[str, Mapping[tuple[str, int], bool]],
    needs: set[str],
) -> Row:
    tasks = needs if cell["task"] == MEAN else {cell["task"]}
    control, hard = f"{CONTROL}@{cell['budget']}", f"{SMALLER}@{cell['budget']}"
    hard_right = _hard(right, cell["side"], hard, tasks)
    return Row(
        side=cell["side"],
        method=cell["method"],
        budget=cell["budget"],
        task=cell["task"],
        n=cell["n"],
        accuracy=cell["accuracy"],
        low=cell["interval"]["low"],
        high=cell["interval"]["high"],
        chance=cell["chance"],
        blind=cell["blind"],
        relative=cell["relative"],
        fidelity=cell["fidelity"],
        contribution=cell["contribution"],
        lost=cell["lost"],
        won=cell["won"],
        p=cell["p"],
        p_holm=cell["p_holm"],
        p_uniform=_against(right, cell["side"], control, tasks),
        better_than_uniform=_more_right(right, cell["side"], control, tasks),
        hard_n=len(hard_right) or None,
        hard_accuracy=round(sum(hard_right) / len(hard_right), 6) if hard_right else None,
        tokens_planned=side["tokens_planned"],
        tokens_measured=cell["tokens"],
        flops_ratio=side["cost"]["flops_ratio"],
        kv_ratio=side["cost"]["kv_ratio"],
        prefill_ratio=None if speed is None else speed["prefill_ratio"],
        decode_ratio=None if speed is None else speed["decode_ratio"],
    )


def _right(records: Sequence[Record]) -> dict[str, dict[tuple[str, int], bool]]:
    found: dict[str, dict[tuple[str, int], bool]] = {}
    for one in records:
        found.setdefault(one.side, {})[one.task, one.index] = one.correct
    return found


def _pairs(right: Mapping[str, Mapping[tuple[str, int], bool]], side: str, other: str, tasks: set[str]) -> Pairs | None:
    if other not in right or side == other:
        return None
    asked = [key for key in right[side] if key[0] in tasks]
    return Pairs.of([right[other][key] for key in asked], [right[side][key] for key in asked])


def _against(
    right: Mapping[str, Mapping[tuple[str, int], bool]], side: str, other: str, tasks: set[str]
) -> float | None:
    pairs = _pairs(right, side, other, tasks)
    return None if pairs is None else round(mcnemar(pairs), 6)


def _more_right(
    right: Mapping[str, Mapping[tuple[str, int], bool]], side: str, other: str, tasks: set[str]
) -> bool | None:
    pairs = _pairs(right, side, other, tasks)
    return None if pairs is None else pairs.second > pairs.first


def _hard(right: Mapping[str, Mapping[tuple[str, int], bool]], side: str, smaller: str, tasks: set[str]) -> list[bool]:
    """Answers to the questions that the full model has right and a smaller image has not (VTC-Bench's filter)."""
    if smaller not in right:
        return []
    return [
        correct
        for key, correct in right[side].items()
        if key[0] in tasks and right[FULL][key] and not right[smaller][key]
    ]


def csv_text(rows: Sequence[Row]) -> str:
    """The rows as CSV; an empty field is a value that there is not."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(Row.model_fields), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: "" if value is None else value for name, value in row.model_dump().items()})
    return out.getvalue()


def read_rows(path: Path) -> list[Row]:
    """What `csv_text` wrote."""
    with path.open(encoding="utf-8", newline="") as file:
        return [
            Row.model_validate({name: value or None if name not in _TEXT else value for name, value in one.items()})
            for one in csv.DictReader(file)
        ]


_TEXT = ("side", "method", "budget", "task")


def main(folder: Path, docs: Path) -> None:
    """Write data and page."""
    rows, about = export(folder)
    (docs / DATA).mkdir(exist_ok=True)
    write_text(docs / DATA / CSV, csv_text(rows))
    write_text(docs / DATA / JSON, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    write_text(docs / PAGE, page_of(docs))


def page_of(docs: Path) -> str:
    """The page that belongs to the committed data."""
    about: dict[str, Any] = json.loads((docs / DATA / JSON).read_text(encoding="utf-8"))
    return baselines_page(read_rows(docs / DATA / CSV), about)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
