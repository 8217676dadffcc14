"""From records to the cells of a table: accuracy, what it is worth, what it cost. Torch-free."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eosdsl.evaluating.records import Record
from eosdsl.evaluating.sides import BLIND, FULL
from eosdsl.evaluating.statistics import (
    Interval,
    Pairs,
    accuracy_interval,
    holm,
    image_contribution,
    mcnemar,
    mean_interval,
    relative_interval,
)
from eosdsl.tasks.base import normalise

MEAN = "mean"


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """What is known of a task without asking anybody."""

    chance: float | None
    needs_image: bool


@dataclass(frozen=True, slots=True)
class Cell:
    """One side on one task, or on the `mean` over the tasks that need the image.

    `fidelity`: share of answers that are the full model's. `lost` and `won`: questions that only the full model, or
    only this side, has right; `p`: McNemar's, exact; `contribution`: (accuracy − blind) / blind. `tokens`: measured.
    """

    side: str
    method: str
    budget: str
    task: str
    n: int
    accuracy: float
    interval: Interval
    fidelity: float
    lost: int
    won: int
    p: float
    blind: float | None
    chance: float | None
    contribution: float | None
    tokens: float
    relative: float | None = None
    relative_interval: Interval | None = None
    p_holm: float | None = None


@dataclass(frozen=True, slots=True)
class _Answers:
    """Of one side to one task, in the order of its questions."""

    correct: tuple[bool, ...]
    given: tuple[str, ...]
    tokens: float


def cells(records: Sequence[Record], tasks: Mapping[str, TaskFacts], seed: int = 0) -> list[Cell]:
    """All cells, side by side in the order of the records: every task, then the mean. The full model must be there."""
    answers: dict[str, dict[str, _Answers]] = {}
    names: dict[str, Record] = {}
    for (side, task), own in _grouped(records).items():
        names.setdefault(side, own[0])
        answers.setdefault(side, {})[task] = _Answers(
            tuple(one.correct for one in own),
            tuple(normalise(one.given) for one in own),
            sum(one.tokens for one in own) / len(own),
        )
    found: list[Cell] = []
    for side, first in names.items():
        own = [_cell(first, task, answers, tasks[task], seed) for task in answers[side]]
        found += [*own, *_mean(first, own, answers, tasks, seed)]
    return _adjusted(found)


def _grouped(records: Sequence[Record]) -> dict[tuple[str, str], list[Record]]:
    groups: dict[tuple[str, str], list[Record]] = {}
    for one in records:
        groups.setdefault((one.side, one.task), []).append(one)
    for own in groups.values():
        own.sort(key=lambda one: one.index)
    return groups


def _cell(first: Record, task: str, answers: Mapping[str, Mapping[str, _Answers]], facts: TaskFacts, seed: int) -> Cell:
    own, full = answers[first.side][task], answers[FULL][task]
    blind = answers.get(BLIND, {}).get(task)
    n, right = len(own.correct), sum(own.correct)
    pairs = Pairs.of(full.correct, own.correct)
    share = None if blind is None else sum(blind.correct) / len(blind.correct)
    return Cell(
        side=first.side,
        method=first.method,
        budget=first.budget,
        task=task,
        n=n,
        accuracy=right / n,
        interval=accuracy_interval(right, n, seed),
        fidelity=sum(a == b for a, b in zip(own.given, full.given, strict=True)) / n,
        lost=pairs.first,
        won=pairs.second,
        p=mcnemar(pairs),
        blind=share,
        chance=facts.chance,
        contribution=None if share is None else image_contribution(right / n, share),
        tokens=own.tokens,
        relative=None if not sum(full.correct) else right / sum(full.correct),
    )


def _mean(
    first: Record,
    own: Sequence[Cell],
    answers: Mapping[str, Mapping[str, _Answers]],
    tasks: Mapping[str, TaskFacts],
    seed: int,
) -> list[Cell]:
    """The mean over tasks that need the image, each weighing the same; nothing where there is none."""
    seen = [cell for cell in own if tasks[cell.task].needs_image]
    if not seen:
        return []
    pairs = [Pairs.of(answers[FULL][cell.task].correct, answers[cell.side][cell.task].correct) for cell in seen]
    counts = [(one.both + one.second, one.n) for one in pairs]
    whole = _average([(one.both + one.first) / one.n for one in pairs])
    accuracy = _average([cell.accuracy for cell in seen])
    blind = _average([cell.blind for cell in seen])
    together = Pairs(*(sum(getattr(one, name) for one in pairs) for name in ("both", "first", "second", "neither")))
    return [
        Cell(
            side=first.side,
            method=first.method,
            budget=first.budget,
            task=MEAN,
            n=together.n,
            accuracy=accuracy or 0.0,
            interval=mean_interval(counts, seed),
            fidelity=_average([cell.fidelity for cell in seen]) or 0.0,
            lost=together.first,
            won=together.second,
            p=mcnemar(together),
            blind=blind,
            chance=_average([cell.chance for cell in seen]),
            contribution=None if blind is None else image_contribution(accuracy or 0.0, blind),
            tokens=_average([cell.tokens for cell in seen]) or 0.0,
            relative=accuracy / whole if whole and accuracy is not None else None,
            relative_interval=relative_interval(pairs, seed) if whole else None,
        )
    ]


def _average(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if len(known) == len(values) and known else None


def _adjusted(found: Sequence[Cell]) -> list[Cell]:
    """With Holm's p: within a task, over all sides but the full model itself."""
    from dataclasses import replace

    result = list(found)
    for task in dict.fromkeys(cell.task for cell in found):
        places = [i for i, cell in enumerate(found) if cell.task == task and cell.side != FULL]
        for i, p in zip(places, holm([found[i].p for i in places]), strict=True):
            result[i] = replace(found[i], p_holm=p)
    return result
