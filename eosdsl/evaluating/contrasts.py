"""Three families, three ways for a reduction to matter: the table of docs/tasks.md, with the data behind it.

    python -m eosdsl.evaluating.contrasts FOLDER docs     # from an evaluation's folder: `make families`

A contrast is two sides that spend the same on the same questions, and McNemar's test between them.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eosdsl.evaluating.records import RESULTS, read_records
from eosdsl.evaluating.statistics import Pairs, mcnemar
from eosdsl.writing import write_text

DATA, PAGE = "data/families.json", "tasks.md"
BEGIN, END = "<!-- made of data/families.json by `make families` -->", "<!-- end -->"


@dataclass(frozen=True, slots=True)
class Contrast:
    """What is claimed of a family, and the two sides that show it. Budgets are of 576 tokens, as everywhere."""

    claim: str
    task: str
    first: str
    second: str


FINE, GUIDED, REDUNDANT, SINGLE = (
    "fine detail is asked: pooling mixes it",
    "the question decides: choosing without it hurts",
    "every part tells the whole: redundancy helps",
    "and the same where one thing is asked:",
)
CONTRASTS = (
    Contrast(FINE, "ocr", "pooling@192", "divprune@192"),
    Contrast(FINE, "needle", "pooling@192", "divprune@192"),
    Contrast(GUIDED, "attr", "fastervlm@16", "cdpruner@16"),
    Contrast(GUIDED, "attr", "divprune@16", "cdpruner@16"),
    Contrast(GUIDED, "position", "fastervlm@16", "cdpruner@16"),
    Contrast(REDUNDANT, "photo", "pooling@64", "full"),
    Contrast(REDUNDANT, "photo", "random@64", "full"),
    Contrast(SINGLE, "attr", "random@64", "full"),
)


def export(folder: Path) -> dict[str, Any]:
    """The contrasts, and what is to be known of them, from a folder that `eosdsl eval` wrote."""
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    right: dict[tuple[str, str], dict[int, bool]] = {}
    for one in read_records(folder / RESULTS):
        right.setdefault((one.side, one.task), {})[one.index] = one.correct
    settings = summary["settings"]
    kept = ("model", "weights", "split", "difficulty", "seed", "tasks")
    chance = {cell["task"]: cell["chance"] for cell in summary["cells"]}
    return {
        **{key: settings[key] for key in kept},
        "origin": summary["origin"],
        "specs": {one["side"]: one["spec"] for one in summary["sides"] if one["spec"]},
        "rows": [_row(one, right, chance[one.task]) for one in CONTRASTS],
    }


def _row(one: Contrast, right: Mapping[tuple[str, str], Mapping[int, bool]], chance: float) -> dict[str, Any]:
    answers = {side: right[side, one.task] for side in ("full", "blind", one.first, one.second)}
    places = sorted(answers["full"])
    pairs = Pairs.of(*([answers[side][place] for place in places] for side in (one.first, one.second)))
    shares = {side: round(sum(given.values()) / len(given), 4) for side, given in answers.items()}
    return {
        **asdict(one),
        "n": pairs.n,
        "chance": chance,
        "blind": shares["blind"],
        "full": shares["full"],
        "first_accuracy": shares[one.first],
        "second_accuracy": shares[one.second],
        "only_first": pairs.first,
        "only_second": pairs.second,
        "p": round(mcnemar(pairs), 6),
    }


def block(found: Mapping[str, Any]) -> str:
    """The table as it stands in docs/tasks.md, between its two marks."""
    return "\n".join([BEGIN, "", *_lines(found), "", END])


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    yield "| | chance | blind | full | | | p |"
    yield "|---|---|---|---|---|---|---|"
    said: set[str] = set()
    for row in found["rows"]:
        claim = "" if row["claim"] in said else f"**{row['claim']}** "
        said.add(row["claim"])
        sides = " | ".join(
            f"{row[side].replace('@', ', ')}: {100 * row[f'{side}_accuracy']:.0f}" for side in ("first", "second")
        )
        shares = " | ".join(f"{100 * row[key]:.0f}" for key in ("chance", "blind", "full"))
        yield f"| {claim}`{row['task']}` | {shares} | {sides} | {_p(row['p'])} |"
    yield ""
    numbers = sorted({row["n"] for row in found["rows"]})
    yield (
        f"Accuracy in percent; {' or '.join(map(str, numbers))} held-out questions a row (split {found['split']}, seed "
        f"{found['seed']}, difficulty `{found['difficulty']}`), {found['model']}, weights {found['weights'][:19]}; p: "
        "McNemar, exact, between the two sides of a row."
    )


def _p(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0") if p < 1 else "1"


def with_block(page: str, found: Mapping[str, Any]) -> str:
    """A page with its block renewed."""
    before, _, rest = page.partition(BEGIN)
    return before + block(found) + rest.partition(END)[2]


def main(arguments: Sequence[str]) -> None:
    """Write data and page."""
    folder, docs = map(Path, arguments)
    found = export(folder)
    write_text(docs / DATA, json.dumps(found, indent=1, ensure_ascii=False) + "\n")
    write_text(docs / PAGE, with_block((docs / PAGE).read_text(encoding="utf-8"), found))


if __name__ == "__main__":
    main(sys.argv[1:])
