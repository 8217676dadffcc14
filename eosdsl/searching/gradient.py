"""Searching by gradient: the relaxed program learns, then says which member it has come to."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch

from eosdsl.ir.genome import Genome
from eosdsl.ir.nodes import Constraint, DiscreteProgram
from eosdsl.ir.spell import spell
from eosdsl.lowering.compile import compile_program
from eosdsl.lowering.relaxing.relax import Relaxed, relax
from eosdsl.searching.batch import Batch
from eosdsl.searching.metrics import Metrics, read_rows
from eosdsl.searching.objective import Seen, Weights, see
from eosdsl.searching.pricing import Prices
from eosdsl.searching.provenance import text_hash
from eosdsl.searching.result import Run
from eosdsl.searching.session import Session
from eosdsl.searching.settings import Settings
from eosdsl.searching.trainer import Goal, Source, Trainer
from eosdsl.tasks.base import Example

A = TypeVar("A")
B = TypeVar("B")
METRICS = "metrics.jsonl"
_MARKS = (0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
"""Shares of the steps at which it is noted which member the search is at: bounds are the space's from half on."""


def by_gradient(
    session: Session,
    weights: Weights,
    constraints: tuple[Constraint, ...],
    settings: Settings,
    folder: Path | None,
    *,
    resume: bool = False,
    tensorboard: bool = False,
    report: Callable[[Mapping[str, Any]], None] = lambda row: None,
    until: int | None = None,
) -> Run:
    """Search a space by gradient.

    Raises:
        SpecError: E0670 where a checkpoint is of another search, E0671 where too many steps give no number, E0672 where
            the batch cannot be shared out; and whatever `relax` raises.
    """
    with relax(session.space, session.model) as relaxed:
        prices = Prices(relaxed, session.space, session.facts, profile=session.profile)
        encode, target = session.encode, _target(relaxed, session, weights)
        if settings.pool:  # the questions of a pool live as long as the search, and so do their batches
            encode, target = remembering(encode, _questions), remembering(target, id)
        goal = Goal(weights, constraints, prices, prices.full(), target)
        source = Source(session.data.learning.batch, encode)
        identity = _identity(session, weights, constraints, settings)
        trainer = Trainer(relaxed, goal, source, settings, identity, folder, session.processes)
        trainer.cool()
        if not (resume and trainer.resume()):
            # a space says where numbers start, not which places and choices are good: those start even
            relaxed.start(session.space.prior(), sureness=0.0)
        rows = _run(trainer, relaxed, folder, tensorboard, report, until)
        trainer.cool()
        relaxed_loss = trainer.evaluate(session.derive_on)["task"]
        genome = relaxed.genome()
    progress = trainer.progress
    return Run(
        genome=genome,
        method="relaxed",
        steps=progress.step,
        seed=settings.seed,
        seconds=progress.seconds,
        forwards=progress.forwards,
        skipped=progress.skipped,
        relaxed_loss=relaxed_loss,
        others=[Genome.from_json(one) for one in dict.fromkeys(progress.met.values()) if one != genome.to_json()],
        rows=rows,
        networks=relaxed.learned,
    )


def _run(
    trainer: Trainer,
    relaxed: Relaxed,
    folder: Path | None,
    tensorboard: bool,
    report: Callable[[Mapping[str, Any]], None],
    until: int | None,
) -> list[dict[str, Any]]:
    """Step to the end, noting every step; the rows of the whole search, those before a resumption among them."""
    rows: list[dict[str, Any]] = []
    if folder is None or not trainer.processes.leads:
        _noting(trainer, relaxed, lambda row: (rows.append(dict(row)), report(row))[-1], until)
        return rows
    metrics = Metrics(folder / METRICS, after=trainer.progress.step, tensorboard=tensorboard)
    try:
        _noting(trainer, relaxed, lambda row: (metrics.add(row), report(row))[-1], until)
    finally:
        metrics.close()
    return read_rows(folder / METRICS)


def _noting(trainer: Trainer, relaxed: Relaxed, report: Callable[[Mapping[str, Any]], None], until: int | None) -> None:
    """Step to the end, noting the members that the search is at on the way: in the trainer's progress, so that they
    survive a crash, and on every process alike."""
    steps = trainer.settings.steps
    for mark in sorted({max(1, round(share * steps)) for share in _MARKS}):
        trainer.run(report, mark if until is None else min(mark, until))
        progress = trainer.progress
        if progress.step == mark:
            trainer.cool()
            progress.met[str(mark)] = relaxed.genome().to_json()


def _target(relaxed: Any, session: Session, weights: Weights) -> Callable[[Batch], Seen]:
    """What the reduced model is to be like: the model as it is, or under the teacher's spec."""
    teacher = session.teacher

    @torch.no_grad()
    def unreduced(batch: Batch) -> Seen:
        with relaxed.off():
            return see(relaxed, batch, hidden=weights.hidden != 0)

    @torch.no_grad()
    def taught(batch: Batch) -> Seen:
        assert teacher is not None
        with relaxed.off(), compile_program(teacher, session.model) as compiled:
            return see(compiled, batch, hidden=weights.hidden != 0)

    return unreduced if teacher is None else taught


def remembering(function: Callable[[A], B], key: Callable[[A], Hashable]) -> Callable[[A], B]:
    """The function, computed once for every argument; arguments are told apart by their key, and kept."""
    known: dict[Hashable, tuple[A, B]] = {}

    def remembered(argument: A) -> B:
        name = key(argument)
        if name not in known:
            known[name] = (argument, function(argument))
        return known[name][1]

    return remembered


def _questions(examples: Sequence[Example]) -> Hashable:
    return tuple(id(example) for example in examples)


def _identity(
    session: Session, weights: Weights, constraints: tuple[Constraint, ...], settings: Settings
) -> dict[str, Any]:
    """What has to be the same for a search to go on."""
    teacher: DiscreteProgram | None = session.teacher
    return {
        "space": text_hash(spell(session.space.program)),
        "model": session.model_hash,
        "data": session.data.learning.name,
        "teacher": text_hash(spell(teacher)) if teacher is not None else "",
        "objective": [weights.task, weights.hidden, weights.logits],
        "constraints": [f"{one.measure.name} {one.comparison} {one.bound.value}" for one in constraints],
        "settings": repr(settings),
    }
