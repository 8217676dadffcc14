"""Members of a space seen from their genomes: which budgets act, what they cost by the plan, changes one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from eosdsl.cost.expect import schedule_amounts
from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.measures import measure
from eosdsl.ir.decision_points import DecisionPoint
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.nodes import Constraint
from eosdsl.ir.space import Space
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind

_LEAST = 1e-3  # a budget is no nearer to nothing than this when it is asked how far it can be raised
_HALVINGS = 14


@dataclass(frozen=True)
class Members:
    """The members of a space on a model, with the constraints that they have to meet."""

    space: Space
    facts: ModelFacts
    constraints: tuple[Constraint, ...]
    profile: LatencyProfile | None = None

    def excess(self, genome: Genome) -> float:
        """By how much the member breaks its worst constraint, relative to the bound, by the plan's exact count: 0 or
        less where all hold, infinite where it is no program for the model."""
        schedule, _ = bind(self.space.fill(genome), self.facts)
        if schedule is None:
            return float("inf")
        reduced, full = schedule_amounts(schedule, 64, 1, self.profile)
        worst = float("-inf")
        for constraint in self.constraints:
            _, value, whole = measure(constraint.measure, reduced, full)
            bound = constraint.bound.value * (whole if constraint.bound.unit == "ratio" else 1)
            over = value / bound - 1
            turned = -over if constraint.comparison == ">=" else abs(over) if constraint.comparison == "=" else over
            worst = max(worst, float(turned))
        return worst

    def tokens(self, genome: Genome) -> tuple[int, ...] | None:
        """Visual tokens entering every decoder layer and kept at its sites, None where it is no program."""
        schedule, _ = bind(self.space.fill(genome), self.facts)
        if schedule is None:
            return None
        given_up = [one.retained for one in schedule.reductions if one.retained < one.incoming]
        return (*schedule.decoder_tokens, *given_up)

    def budgets(self, genome: Genome) -> list[DecisionPoint]:
        """The open budgets of the sites that act."""
        closed = tuple(name.removesuffix(".gate") + "." for name, value in genome.values.items() if value is False)
        return [
            point
            for point in self.space.points
            if point.kind in ("fraction", "count")
            and ".budget" in point.id
            and not (closed and point.id.startswith(closed))
        ]

    def scaled(self, genome: Genome, names: Iterator[str] | list[str], factor: float) -> Genome:
        """With these budgets multiplied, within their bounds."""
        values: dict[str, float] = {}
        for name in names:
            low, high = self.space.point(name).bounds
            values[name] = min(max(float(genome[name]) * factor, low), high)
        return self._with(genome, values)

    def _with(self, genome: Genome, values: Mapping[str, float]) -> Genome:
        """With these budgets, whole where they are counts."""
        counts = {name for name in values if self.space.point(name).kind == "count"}
        return self.rounded(genome, {name: round(at) if name in counts else at for name, at in values.items()})

    def rounded(self, genome: Genome, changes: Mapping[str, Gene]) -> Genome:
        """With some values changed, as the space writes them."""
        return self.space.rounded(Genome(genome.space, {**genome.values, **changes}))

    def lowered(self, genome: Genome, names: list[str]) -> Genome | None:
        """With these budgets lowered together by the least that meets the constraints, None where nothing does."""
        return self._between(genome, names, 0.0, 1.0)

    def raised(self, genome: Genome, names: list[str]) -> Genome | None:
        """With these budgets raised together by the most that the constraints allow."""
        highest = (self.space.point(name).bounds[1] / max(float(genome[name]), _LEAST) for name in names)
        return self._between(genome, names, 1.0, max([1.0, *highest]))

    def lifted(self, genome: Genome, names: list[str]) -> Genome | None:
        """With these budgets raised together by the least that meets the constraints, None where nothing does."""
        best = self._with(genome, {name: self.space.point(name).bounds[1] for name in names})
        if not names or self.excess(best) > 0:
            return None
        low, high = 0.0, 1.0
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            tried = self._towards(genome, best, names, middle)
            if self.excess(tried) > 0:
                low = middle
            else:
                high = middle
        return self._towards(genome, best, names, high)

    def _towards(self, genome: Genome, other: Genome, names: list[str], part: float) -> Genome:
        """With these budgets so far on the way to those of another member."""
        start, end = ({name: float(one[name]) for name in names} for one in (genome, other))
        return self._with(genome, {name: start[name] + part * (end[name] - start[name]) for name in names})

    def _between(self, genome: Genome, names: list[str], low: float, high: float) -> Genome | None:
        """The largest factor between `low` and `high` with which the constraints hold, by halving."""
        best = self.scaled(genome, names, low)
        if not names or self.excess(best) > 0:
            return None
        for _ in range(_HALVINGS):
            middle = (low * high) ** 0.5 if low > 0 else (low + high) / 2
            tried = self.scaled(genome, names, middle)
            if self.excess(tried) > 0:
                high = middle
            else:
                low, best = middle, tried
        return best
