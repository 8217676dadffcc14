"""The parameters of a search: one vector for every decision point, or for every family that shares a whole."""

from __future__ import annotations

from collections.abc import Mapping
from math import log

import torch
from torch import Tensor, nn

from eosdsl.ir.decision_points import DecisionPoint, choice_of
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.shares import Family
from eosdsl.ir.space import Gates, Space
from eosdsl.lowering.relaxing.temperatures import Temperatures
from eosdsl.lowering.relaxing.topk import soft_threshold

SATURATED = 20.0
"""The logit of a gate, and of a choice over the others, that is set to a genome; times the temperature."""

_EDGE = 1e-9  # nearest to the bounds that a sigmoid is set
_SURPLUS = 1e-6  # of a gate, over its statement's bounds: what saturated gates may come to
_NOTHING = 1e-12  # the share whose logit stands for none


class Decisions(nn.Module):
    """Parameters [K] float64 by the id of their decision point (one number, or a logit per choice) or of their family
    (a logit per share). Scalars in double precision cost nothing and keep budgets exact to a fraction of a token.
    """

    def __init__(self, space: Space, device: torch.device | None = None) -> None:
        super().__init__()
        self.space = space
        self.families: dict[str, Family] = {family.id: family for family in space.families}
        self.gates_with: dict[str, Gates] = {name: gates for gates in space.gates for name in gates.ids}
        self.parameters_by_name = nn.ParameterDict()
        for point in space.points:
            if point.family in self.families:
                continue
            self._add(point.id, len(point.choices) if point.kind == "choice" else 1, device)
        for family in space.families:
            self._add(family.id, len(family.points), device)

    def __getitem__(self, name: str) -> nn.Parameter:
        """The parameter of a decision point or family by its id."""
        return self.parameters_by_name[_key(name)]

    def parameter_of(self, point: str) -> tuple[nn.Parameter, int]:
        """The parameter of a decision point and its place in it (0 for a choice: all of the vector is its own)."""
        found = self.space.point(point)
        family = self.families.get(found.family or "")
        if family is None:
            return self[point], 0
        return self[family.id], [one.id for one in family.points].index(point)

    @torch.no_grad()
    def set_genome(self, genome: Genome, temperatures: Temperatures) -> None:
        """Parameters for which the relaxed values at these temperatures are the genome's, gates and choices saturated.

        Raises:
            SpecError: E0514 where the genome belongs to another space.
        """
        values = self.space.rounded(genome).values
        for point in self.space.points:
            if point.family not in self.families:
                self[point.id].copy_(self._logits(point, values[point.id], temperatures))
        for family in self.space.families:
            self[family.id].copy_(self._share_logits(family, values, temperatures))

    @torch.no_grad()
    def start(self, genome: Genome, temperatures: Temperatures, sureness: float = 1.0) -> None:
        """As `set_genome`, but gates and choices lean towards the genome by a logit of `sureness` only."""
        self.set_genome(genome, temperatures)
        for point in self.space.points:
            if point.kind in ("gate", "choice"):
                self[point.id].mul_(sureness / SATURATED)

    @torch.no_grad()
    def genome(self, temperatures: Temperatures) -> Genome:
        """The most likely member: gates above one half (the best of each statement, where there are too many or too
        few), the likeliest choices, all values rounded.
        """
        values: dict[str, Gene] = {}
        numbers = Values(self, temperatures)
        for point in self.space.points:
            if point.kind == "choice":
                values[point.id] = point.names[int(self[point.id].argmax())]
            elif point.kind != "gate":
                values[point.id] = float(numbers.number(point.id))
        for gates in self.space.gates:
            logits = {name: float(self[name]) for name in gates.ids}
            best = sorted(gates.ids, key=lambda name: -logits[name])
            number = min(max(sum(logit > 0 for logit in logits.values()), gates.fewest), gates.most)
            values.update({name: name in best[:number] for name in gates.ids})
        return self.space.rounded(Genome(self.space.program.name, values))

    def _add(self, name: str, size: int, device: torch.device | None) -> None:
        self.parameters_by_name[_key(name)] = nn.Parameter(torch.zeros(size, dtype=torch.float64, device=device))

    def _logits(self, point: DecisionPoint, value: Gene, temperatures: Temperatures) -> Tensor:
        if point.kind == "gate":
            return torch.tensor([SATURATED if value else -SATURATED]) * temperatures.gate
        if point.kind == "choice":
            chosen = choice_of(point, value)
            hot = [SATURATED if place == chosen else 0.0 for place in range(len(point.choices))]
            return torch.tensor(hot, dtype=torch.float64) * temperatures.choice
        place = min(max(point.place(float(value)), _EDGE), 1 - _EDGE)
        return torch.tensor([log(place / (1 - place))], dtype=torch.float64)

    def _share_logits(self, family: Family, values: Mapping[str, Gene], temperatures: Temperatures) -> Tensor:
        shares = [float(values[point.id]) for point in family.points]
        given = [share - low for share, low in zip(shares, family.lows, strict=True)]
        missing = float(family.whole) - sum(family.lows) - sum(given)
        cut = [place for place, high in enumerate(family.highs) if shares[place] >= high - 1e-9]
        if missing > 0 and cut:  # a share at its upper bound was cut there
            given[cut[0]] += missing
        divided = temperatures.behaviour if family.mixes else 1.0
        return torch.tensor([log(max(one, _NOTHING)) for one in given], dtype=torch.float64) * divided


class Values:
    """What the parameters say at these temperatures: differentiable, computed when first asked for and kept."""

    def __init__(self, decisions: Decisions, temperatures: Temperatures) -> None:
        self.decisions = decisions
        self.temperatures = temperatures
        self._known: dict[str, Tensor] = {}

    def gate_logit(self, name: str) -> Tensor:
        """A scalar: the gate is its sigmoid. Gates of one statement are open in sum as many as may be: where they
        would come to more than the most (or less than the fewest), all of them are shifted alike, so that candidates
        compete."""
        if name not in self._known:
            own = self.decisions.gates_with[name]
            logits = torch.stack([self.decisions[one][0] for one in own.ids])
            shifted = (logits - _shift(logits, own, self.temperatures.gate)) / self.temperatures.gate
            self._known.update(zip(own.ids, shifted.unbind(), strict=True))
        return self._known[name]

    def probabilities(self, name: str) -> Tensor:
        """[K]: of each choice."""
        if name not in self._known:
            self._known[name] = (self.decisions[name] / self.temperatures.choice).softmax(0)
        return self._known[name]

    def number(self, name: str) -> Tensor:
        """A scalar: a fraction, a count, a weight, a real."""
        if name not in self._known:
            point = self.decisions.space.point(name)
            family = self.decisions.families.get(point.family or "")
            if family is not None:
                self._known.update(self._shares(family))
            else:
                self._known[name] = _between(point, self.decisions[name][0])
        return self._known[name]

    def every(self) -> dict[str, Tensor]:
        """All by id: gates as their openness, choices as probabilities [K]."""
        values: dict[str, Tensor] = {}
        for point in self.decisions.space.points:
            if point.kind == "gate":
                values[point.id] = self.gate_logit(point.id).sigmoid()
            elif point.kind == "choice":
                values[point.id] = self.probabilities(point.id)
            else:
                values[point.id] = self.number(point.id)
        return values

    def _shares(self, family: Family) -> dict[str, Tensor]:
        divided = self.temperatures.behaviour if family.mixes else 1.0
        parts = (self.decisions[family.id] / divided).softmax(0)
        lows = parts.new_tensor(family.lows)
        shares = lows + max(float(family.whole) - sum(family.lows), 0.0) * parts
        shares = torch.minimum(shares, parts.new_tensor(family.highs))
        return {point.id: shares[place] for place, point in enumerate(family.points)}


def _shift(logits: Tensor, gates: Gates, temperature: float) -> Tensor | float:
    """What to take from the logits [K] of a statement's gates so that they are open as many as may be."""
    open_now = float((logits.detach() / temperature).sigmoid().sum())
    wanted = min(max(open_now, float(gates.fewest)), float(gates.most))
    if abs(open_now - wanted) < _SURPLUS:
        return 0.0
    wanted = min(max(wanted, _SURPLUS), len(gates.ids) - _SURPLUS)
    return soft_threshold(logits[None], torch.ones_like(logits[None]), logits.new_tensor([wanted]), temperature)[0]


def _between(point: DecisionPoint, logit: Tensor) -> Tensor:
    low, high = point.bounds
    place = logit.sigmoid()
    if point.scale == "log":
        return torch.exp(log(low) + place * (log(high) - log(low)))
    return low + place * (high - low)


def _key(name: str) -> str:
    """Names of parameters cannot hold dots."""
    return name.replace(".", "/")
