"""What searches found, as committed data and as a page: beside each other, and beside the published methods.

    python -m eosdsl.evaluating.searches SEARCHES METHODS docs FOUND...

SEARCHES: folders of `benchmarks/searches.py`; METHODS: the evaluation of the published methods (`make baselines`);
FOUND: that of the searches' operators, in one folder or several, on the same questions; folders of another model tell
how they transfer. The page is made of the data alone.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from eosdsl.diagnostics import SpecError, error
from eosdsl.evaluating.records import RESULTS, read_records
from eosdsl.evaluating.searches_page import searches_page
from eosdsl.evaluating.sides import FULL
from eosdsl.evaluating.statistics import Pairs, difference_interval, mcnemar
from eosdsl.writing import write_text

DATA, JSON, PAGE = "data", "searches.json", "search-results.md"
_CONTROLS = ("full", "blind", "no visual tokens", "downsample", "lowres", "random", "uniform", "pooling")
Right = Mapping[str, Mapping[tuple[str, int], bool]]


class Against(BaseModel):
    """A side against another on the same questions: the difference of mean accuracies with its 95% interval, questions
    that only one of them answers, and the exact p of McNemar's test."""

    model_config = ConfigDict(frozen=True)

    other: str
    difference: float
    low: float
    high: float
    lost: int
    won: int
    p: float


class Found(BaseModel):
    """One search and what its operator does on held-out questions. `forwards`: passes of the model over one question
    that the search took; `deriving`: those of deriving; `seconds`: of the search's steps by the clock."""

    model_config = ConfigDict(frozen=True)

    name: str
    method: str
    budget: int
    seed: int
    accuracy: float
    low: float
    high: float
    tokens: float
    families: dict[str, float]
    full: Against
    best: Against | None
    forwards: int
    deriving: int
    seconds: float
    gap: float | None
    flops_ratio: float
    prefill_ratio: float | None
    spec: str


class Transferred(BaseModel):
    """What was found on one model, asked of another: on that model's own questions, against that model unreduced."""

    model_config = ConfigDict(frozen=True)

    name: str
    model: str
    questions: int
    accuracy: float
    low: float
    high: float
    tokens: float
    full_accuracy: float
    full: Against
    spec: str


class Method(BaseModel):
    """A published method at a budget, on the same questions."""

    model_config = ConfigDict(frozen=True)

    method: str
    budget: int
    accuracy: float
    low: float
    high: float
    tokens: float


def export(searches: Path, methods: Path, found: Sequence[Path]) -> dict[str, Any]:
    """Everything that the page is made of.

    Raises:
        SpecError: E0684 where the two evaluations asked different questions.
    """
    theirs = _summary(methods)
    elsewhere = [folder for folder in found if _summary(folder)["model"] != theirs["model"]]
    found = [folder for folder in found if folder not in elsewhere]
    parts = [_summary(folder) for folder in found]
    own = {**parts[0], **{key: [one for part in parts for one in part[key]] for key in ("cells", "sides", "speeds")}}
    right: dict[str, dict[tuple[str, int], bool]] = {}
    published = _right(methods)
    for folder in found:
        answers = _right(folder)
        _refuse_other_questions(answers[FULL], published[FULL])
        right |= answers
    needs = set(own["image_tasks"])
    table = _methods(theirs)
    best = {budget: _best(table, budget) for budget in sorted({one.budget for one in table})}
    both = {**{f"{name}@methods": answers for name, answers in published.items()}, **right}
    rows: list[Found] = []
    for folder in sorted(one for one in searches.iterdir() if (one / "report.json").is_file()):
        if folder.name in right:
            rows.append(_row(folder, own, both, best, needs, theirs))
    full = next(cell for cell in own["cells"] if cell["side"] == FULL and cell["task"] == "mean")
    settings = {key: own["settings"][key] for key in own["settings"] if key != "specs"}
    return {
        "model": own["model"],
        "visual_tokens": own["visual_tokens"],
        "settings": settings,
        "origin": own["origin"],
        "image_tasks": sorted(needs),
        "full": {"accuracy": full["accuracy"], **full["interval"], "families": _by_family(own, FULL)},
        "rows": [one.model_dump() for one in rows],
        "methods": [one.model_dump() for one in table],
        "transfer": [one.model_dump() for folder in elsewhere for one in _transferred(folder)],
    }


def _transferred(folder: Path) -> list[Transferred]:
    summary, right = _summary(folder), _right(folder)
    means = {one["side"]: one for one in summary["cells"] if one["task"] == "mean"}
    needs = set(summary["image_tasks"])
    return [
        Transferred(
            name=side["side"],
            model=summary["model"],
            questions=sum(summary["settings"]["tasks"].values()),
            accuracy=means[side["side"]]["accuracy"],
            **means[side["side"]]["interval"],
            tokens=means[side["side"]]["tokens"],
            full_accuracy=means[FULL]["accuracy"],
            full=_against(right, side["side"], FULL, FULL, needs),
            spec=side["spec"],
        )
        for side in summary["sides"]
        if side["side"] in means and side["method"] not in _CONTROLS
    ]


def _row(
    folder: Path,
    own: Mapping[str, Any],
    right: Right,
    best: Mapping[int, Method],
    needs: set[str],
    theirs: Mapping[str, Any],
) -> Found:
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    method, budget, seed = folder.name.rsplit("-", 2)
    cells = [one for one in own["cells"] if one["side"] == folder.name]
    (cell,) = [one for one in cells if one["task"] == "mean"]
    (side,) = [one for one in own["sides"] if one["side"] == folder.name]
    speeds = [one for one in own["speeds"] if one["side"] == folder.name]
    rival = best.get(int(budget))
    against = None
    if rival is not None:
        side_of = f"{rival.method}@{rival.budget * 576 // theirs['visual_tokens']}@methods"
        against = _against(right, folder.name, side_of, rival.method, needs)
    return Found(
        name=folder.name,
        method=method,
        budget=int(budget),
        seed=int(seed),
        accuracy=cell["accuracy"],
        low=cell["interval"]["low"],
        high=cell["interval"]["high"],
        tokens=cell["tokens"],
        families=_by_family(own, folder.name),
        full=_against(right, folder.name, FULL, FULL, needs),
        best=against,
        forwards=report["forwards"],
        deriving=report["deriving_forwards"],
        seconds=report["seconds"],
        gap=None if report["relaxed_loss"] is None else report["derived_loss"] - report["relaxed_loss"],
        flops_ratio=side["cost"]["flops_ratio"],
        prefill_ratio=speeds[0]["prefill_ratio"] if speeds else None,
        spec=report["operator"],
    )


def _against(right: Right, name: str, other: str, called: str, needs: set[str]) -> Against:
    families: list[Pairs] = []
    for task in sorted(needs):
        asked = sorted(key for key in right[name] if key[0] == task)
        families.append(Pairs.of([right[other][key] for key in asked], [right[name][key] for key in asked]))
    interval = difference_interval(families)
    every = Pairs(*(sum(getattr(one, field) for one in families) for field in ("both", "first", "second", "neither")))
    difference = sum((one.second - one.first) / one.n for one in families) / len(families)
    return Against(
        other=called,
        difference=round(difference, 6),
        low=round(interval.low, 6),
        high=round(interval.high, 6),
        lost=every.first,
        won=every.second,
        p=round(mcnemar(every), 6),
    )


def _by_family(summary: Mapping[str, Any], side: str) -> dict[str, float]:
    cells = [one for one in summary["cells"] if one["side"] == side and one["task"] != "mean"]
    return {one["task"]: one["accuracy"] for one in cells}


def _methods(summary: Mapping[str, Any]) -> list[Method]:
    """The published methods where they reach a budget; those too that the image decides, where they keep to it."""
    found: list[Method] = []
    for cell in summary["cells"]:
        budget = _tokens(cell, summary)
        if cell["task"] != "mean" or cell["method"] in _CONTROLS or budget is None:
            continue
        interval = cell["interval"]
        found.append(
            Method(
                method=cell["method"],
                budget=budget,
                accuracy=cell["accuracy"],
                low=interval["low"],
                high=interval["high"],
                tokens=cell["tokens"],
            )
        )
    return found


def _tokens(cell: Mapping[str, Any], summary: Mapping[str, Any]) -> int | None:
    """The budget of a cell in tokens of this model, None where it has none."""
    return int(cell["budget"]) * summary["visual_tokens"] // 576 if cell["budget"].isdigit() else None


def _best(methods: Sequence[Method], budget: int) -> Method:
    return max((one for one in methods if one.budget == budget), key=lambda one: one.accuracy)


def _summary(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "summary.json").read_text(encoding="utf-8"))


def _right(folder: Path) -> dict[str, dict[tuple[str, int], bool]]:
    found: dict[str, dict[tuple[str, int], bool]] = {}
    for one in read_records(folder / RESULTS):
        found.setdefault(one.side, {})[one.task, one.index] = one.correct
    return found


def _refuse_other_questions(own: Mapping[tuple[str, int], bool], theirs: Mapping[tuple[str, int], bool]) -> None:
    missing = set(own) - set(theirs)
    if missing or any(own[key] != theirs[key] for key in own):
        message = "the two evaluations asked different questions, or of different models"
        raise SpecError(
            [error("E0684", message, helps=("evaluate both with the same --tasks, --questions and --seed",))]
        )


def main(arguments: list[str]) -> None:
    """The command."""
    searches, methods, docs, *found = (Path(one) for one in arguments)
    data = export(searches, methods, found)
    write_text(docs / DATA / JSON, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
    write_text(docs / PAGE, page_of(docs))


def page_of(docs: Path) -> str:
    """The page of the committed data, and of the ablations and transfers beside them where there are any."""
    return searches_page(json.loads((docs / DATA / JSON).read_text(encoding="utf-8")))


if __name__ == "__main__":
    main(sys.argv[1:])
