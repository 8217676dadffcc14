"""Searching without gradients, over the same space and at as many forward passes: what the gradient has to beat.

Every member that is tried is first made to meet the constraints (all budgets lowered together, by the plan's count, at
no cost), then measured on questions of the learning split. A step of the relaxed search over a batch of B questions
counts 3B passes of the model, 4B where it is aligned to the unreduced one; a black-box search may spend the same, and
what the relaxed one spends on trying neighbours besides.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.decision_points import DecisionPoint
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.nodes import Constraint
from eosdsl.ir.space import Space
from eosdsl.searching.batch import Batch
from eosdsl.searching.judge import Judge, seen_on
from eosdsl.searching.members import Members
from eosdsl.searching.objective import Weights
from eosdsl.searching.result import Run
from eosdsl.searching.session import Session
from eosdsl.searching.settings import Settings

QUESTIONS = 32
"""That a member is measured on, where the method does not decide it."""
KEPT = 6
"""How many members deriving compares: as many as it is given by the relaxed search."""
_CHUNK = 16
_RUNGS, _SHRINK = 4, 3
_BROKEN = 1e3

Watch = Callable[[Mapping[str, Any]], None]


@dataclass
class Trials:
    """Members tried so far, `forwards` of `allowed` passes spent, and the best of them: (loss, genome), best first."""

    session: Session
    members: Members
    weights: Weights
    allowed: int
    seed: int
    watch: Watch
    forwards: int = 0
    count: int = 0
    top: list[tuple[float, Genome]] = field(default_factory=list[tuple[float, Genome]])
    _judges: dict[tuple[int, int], Judge] = field(default_factory=dict[tuple[int, int], Judge])

    def loss(self, genome: Genome, questions: int = QUESTIONS, lot: int = 0) -> float:
        """The objective on so many questions of a lot; infinite where no budgets make the member meet the
        constraints. The best are remembered."""
        feasible = self.feasible(genome)
        if feasible is None:
            return float("inf")
        judge = self._judge(questions, lot)
        before = judge.forwards
        loss = judge.verdict(self.session.space.fill(feasible)).loss
        self.forwards += judge.forwards - before
        self.count += 1
        if all(feasible.values != known.values for _, known in self.top):
            self.top = sorted([*self.top, (loss, feasible)], key=lambda one: one[0])[:KEPT]
        self.watch({"step": self.count, "loss": loss, "best": self.top[0][0], "forwards": self.forwards})
        return loss

    def feasible(self, genome: Genome) -> Genome | None:
        """The member with budgets lowered until the constraints hold."""
        rounded = self.session.space.rounded(genome)
        if self.members.excess(rounded) <= 0:
            return rounded
        return self.members.lowered(rounded, [point.id for point in self.members.budgets(rounded)])

    @property
    def left(self) -> int:
        return self.allowed - self.forwards

    def _judge(self, questions: int, lot: int) -> Judge:
        if (questions, lot) not in self._judges:
            batches = _batches(self.session, lot * questions, questions)
            aligned = seen_on(self.session.model, batches, self.weights) if self.weights.aligns else None
            self._judges[questions, lot] = Judge(self.session.model, batches, self.weights, aligned)
        return self._judges[questions, lot]


def by_method(
    method: str,
    session: Session,
    weights: Weights,
    constraints: tuple[Constraint, ...],
    settings: Settings,
    watch: Watch = lambda row: None,
) -> Run:
    """Search by one of METHODS. Raises SpecError: E0674 for another, E0675 where nothing met the constraints, E0698
    without Optuna."""
    if method not in METHODS:
        helps = ("relaxed, " + ", ".join(METHODS),)
        raise SpecError([error("E0674", f"there is no way of searching called `{method}`", helps=helps)])
    started = perf_counter()
    held_back = sum(len(batch.images) for batch in session.derive_on)
    allowed = settings.steps * settings.batch * (4 if weights.aligns else 3) + settings.refine * held_back
    members = Members(session.space, session.facts, constraints, session.profile)
    trials = Trials(session, members, weights, allowed, settings.seed, watch)
    METHODS[method](trials)
    if not trials.top:
        raise SpecError([error("E0675", f"none of the members of {session.space.program.name} tried meets it")])
    return Run(
        genome=trials.top[0][1],
        others=[genome for _, genome in trials.top[1:]],
        method=method,
        steps=trials.count,
        seed=settings.seed,
        seconds=perf_counter() - started,
        forwards=trials.forwards,
    )


def _random(trials: Trials) -> None:
    """Members at random, the best of them."""
    for genome in _sampled(trials):
        trials.loss(genome)


def _halving(trials: Trials) -> None:
    """Many members on few questions; the best third of them on three times as many; and so on."""
    first = max(4, QUESTIONS // _SHRINK)
    rungs = _RUNGS
    while rungs > 1 and trials.allowed // (first * rungs) < _SHRINK ** (rungs - 1):
        rungs -= 1
    count = max(1, trials.allowed // (first * rungs))
    source = random.Random(trials.seed)
    rung = [trials.session.space.sample(source) for _ in range(count)]
    for number in range(rungs):
        questions = first * _SHRINK**number
        trials.top = []  # losses on other questions do not compare
        ranked = sorted(((trials.loss(one, questions), place) for place, one in enumerate(rung)), key=lambda it: it)
        rung = [rung[place] for _, place in ranked[: max(1, len(rung) // _SHRINK)]]


def _tpe(trials: Trials) -> None:
    optuna = _optuna()
    _study(trials, optuna.samplers.TPESampler(seed=trials.seed, multivariate=True, constant_liar=False), True)


def _cma_es(trials: Trials) -> None:
    optuna = _optuna()
    _study(trials, optuna.samplers.CmaEsSampler(seed=trials.seed, warn_independent_sampling=False), False)


METHODS: dict[str, Callable[[Trials], None]] = {
    "random": _random,
    "halving": _halving,
    "tpe": _tpe,
    "cma-es": _cma_es,
}


def _sampled(trials: Trials) -> Iterator[Genome]:
    source = random.Random(trials.seed)
    misses = 0
    while trials.left >= QUESTIONS and misses < 1000:
        before = trials.forwards
        yield trials.session.space.sample(source)
        misses = misses + 1 if trials.forwards == before else 0


def _study(trials: Trials, sampler: Any, categories: bool) -> None:
    """Ask Optuna for members and tell it their losses, as long as there are passes left."""
    optuna = _optuna()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=sampler)
    space = trials.session.space
    repeated = 0
    while trials.left >= QUESTIONS and repeated < 200:
        trial = study.ask()
        before = trials.forwards
        loss = trials.loss(suggested(space, trial, categories))
        repeated = repeated + 1 if trials.forwards == before else 0
        study.tell(trial, min(loss, _BROKEN))


def suggested(space: Space, trial: Any, categories: bool) -> Genome:
    """The member that an Optuna trial suggests. Gates are numbers in [0, 1]: those above 1/2 are on, as many as may."""
    values: dict[str, Gene] = {
        point.id: _suggested(point, trial, categories) for point in space.points if point.kind != "gate"
    }
    for gates in space.gates:
        openness = {name: trial.suggest_float(name, 0.0, 1.0) for name in gates.ids}
        ranked = sorted(openness, key=lambda name: -openness[name])
        wanted = sum(value > 0.5 for value in openness.values())
        on = set(ranked[: min(max(wanted, gates.fewest, 1), gates.most)])
        values |= {name: name in on for name in gates.ids}
    return space.rounded(Genome(space.program.name, values))


def _suggested(point: DecisionPoint, trial: Any, categories: bool) -> Gene:
    if point.kind == "choice":
        if categories:
            return trial.suggest_categorical(point.id, list(point.names))
        return point.names[min(int(trial.suggest_float(point.id, 0.0, len(point.names))), len(point.names) - 1)]
    place = trial.suggest_float(point.id, 0.0, 1.0)
    return round(point.at(place)) if point.kind == "count" else point.at(place)


def _batches(session: Session, start: int, count: int) -> tuple[Batch, ...]:
    examples = [session.data.learning.question(number) for number in range(start, start + count)]
    return tuple(session.encode(examples[first : first + _CHUNK]) for first in range(0, count, _CHUNK))


def _optuna() -> Any:
    try:
        import optuna
    except ImportError as problem:
        helps = ("pip install 'eosdsl[search]'",)
        raise SpecError([error("E0698", "this way of searching needs the package optuna", helps=helps)]) from problem
    return optuna
