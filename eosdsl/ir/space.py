"""A space as decision points: what is open, what may stand there, and members made from genomes.

Decision points and holes are one to one; inside an `any … of` statement every candidate layer has holes of its own, and
a gate besides. Torch-free.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.decision_points import DecisionPoint, choice_of, point_of
from eosdsl.ir.genome import Gene, Genome
from eosdsl.ir.holes import Hole, decide_step
from eosdsl.ir.nodes import DiscreteProgram, RelaxedProgram, Step
from eosdsl.ir.quantities import Quantity, Value
from eosdsl.ir.sampling import draw, draw_shares, draw_subset, spread
from eosdsl.ir.shares import Family, rounded, within
from eosdsl.ir.simplify import simplified
from eosdsl.ir.walk import copied
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.bind import bind
from eosdsl.passes.candidates import Statement, Variant, statements

CODES = {
    "E0514": """The genome does not belong to this space.

    A genome has one value for each decision point of its space, of the point's kind and within its bounds. Spaces that
    were changed have other points; `eosdsl sample --json` shows those of this one.
    """,
    "E0516": """No member of this space could be sampled.

    Statements choose their places independently, two cannot reduce at one site, and on a named model every place has to
    exist. Where nearly all choices fail, sampling gives up: give statements layers of their own.
    """,
    "E0517": """The shares of this mix cannot be had.

    The lower bounds of the open shares and the decided ones come to more than the whole.
    """,
}

_TRIES = 200


@dataclass(frozen=True)
class Gates:
    """The open places of one statement: a gate for each candidate, of which `fewest` to `most` are on."""

    statement: int
    ids: tuple[str, ...]
    layers: tuple[int, ...]
    fewest: int
    most: int


@dataclass(frozen=True)
class Space:
    """The decision points of a relaxed program, in the order of the text.

    statements: with a variant for each candidate; families: of weights that share a whole; gates: of every `any … of`;
    left_out: what candidates cannot offer (information); facts: of the model, where one was named.
    """

    program: RelaxedProgram
    points: tuple[DecisionPoint, ...]
    statements: tuple[Statement, ...]
    families: tuple[Family, ...]
    gates: tuple[Gates, ...]
    left_out: tuple[Diagnostic, ...] = ()
    facts: ModelFacts | None = None
    _by_id: Mapping[str, DecisionPoint] = field(repr=False, compare=False, default_factory=dict[str, DecisionPoint])

    @classmethod
    def of(cls, program: RelaxedProgram, facts: ModelFacts | None = None) -> Space:
        """The space of a program; `facts` where places depend on the model, or scores on what it offers.

        Raises:
            SpecError: E0512 for a hole without bounds, E0513 for a depth without a model, E0517 for a mix without room.
        """
        # every hole an object of its own, even where a program was made of shared ones
        program = copied(program)
        made, found = statements(program, facts)
        points: list[DecisionPoint] = []
        families: list[Family] = []
        gates: list[Gates] = []
        for statement in made:
            if statement.choose is not None:
                ids = tuple(f"{variant.path}.gate" for variant in statement.variants)
                layers = tuple(variant.layer for variant in statement.variants if variant.layer is not None)
                gates.append(Gates(statement.variants[0].statement if ids else -1, ids, layers, *statement.choose))
            for variant in statement.variants:
                points += _points(variant, statement.choose is not None, found)
                families += _families(variant, points, found)
        errors = [one for one in found if one.is_error]
        if errors:
            raise SpecError(errors)
        started = _with_priors(points, families, gates)
        by_id = {point.id: point for point in started}
        notes = tuple(one for one in found if not one.is_error)
        return cls(program, started, made, tuple(families), tuple(gates), notes, facts, by_id)

    def point(self, name: str) -> DecisionPoint:
        """The decision point of an id. KeyError where there is none."""
        return self._by_id[name]

    def prior(self) -> Genome:
        """Where a search starts: what the spec says with `prior`, else the middle, equal weights, the first choice, and
        as many places as may be, evenly apart.
        """
        return Genome(self.program.name, {point.id: point.prior for point in self.points})

    def sample(self, rng: random.Random | int) -> Genome:
        """A random member: places, choices and values uniform, within bounds; never two statements at one site, and
        sound on the model, where one was named.

        Raises:
            SpecError: E0516 where none is found.
        """
        source = random.Random(rng) if isinstance(rng, int) else rng
        for _ in range(_TRIES):
            genome = self._draw(source)
            if self._sound(genome):
                return self.rounded(genome)
        raise SpecError([error("E0516", f"no member of {self.program.name} could be sampled", self.program.span)])

    def _draw(self, rng: random.Random) -> Genome:
        values: dict[str, Gene] = {}
        for gates in self.gates:
            on = draw_subset(range(len(gates.ids)), gates.fewest, gates.most, rng)
            values.update({name: place in on for place, name in enumerate(gates.ids)})
        for family in self.families:
            values.update(draw_shares(family, rng))
        values.update({point.id: draw(point, rng) for point in self.points if point.id not in values})
        return self._ordered(values)

    def _sound(self, genome: Genome) -> bool:
        """Whether something acts, and no two statements at one site."""
        sites = [site for variant in self._acting(genome) for site in _sites(variant)]
        if not sites or len(set(sites)) < len(sites):
            return False
        return self.facts is None or bind(self.fill(genome), self.facts)[0] is not None

    def rounded(self, genome: Genome) -> Genome:
        """The genome as `fill` writes it: few digits, within bounds. Rounding twice changes nothing.

        Raises:
            SpecError: E0514 where it belongs to another space.
        """
        self._check(genome)
        values = {point.id: point.rounded(genome[point.id]) for point in self.points}
        for family in self.families:
            values.update(rounded(family, values))
        return self._ordered(values)

    def fill(self, genome: Genome) -> DiscreteProgram:
        """The member that a genome stands for, values rounded: one statement for each place that is on.

        Parts of a mix and terms of a sum whose weight is zero are left out.
        """
        decided = self.rounded(genome)

        def decide(hole: Hole) -> Value:
            point = self._by_id[hole.path]
            value = point.exact(decided[hole.path])
            return value.model_copy(update={"unit": "number"}) if _is_share(hole, value) else value

        steps = tuple(simplified(decide_step(variant.step, variant.path, decide)) for variant in self._acting(decided))
        own = self.program
        return DiscreteProgram(language=own.language, name=own.name, family=own.family, steps=steps, span=own.span)

    def genome_of(self, program: DiscreteProgram) -> Genome | None:
        """The genome that `fill` makes this program of, None where it is no member as `fill` writes them."""
        from eosdsl.ir.recognise import recognise

        return recognise(self, program)

    def _acting(self, genome: Genome) -> Iterator[Variant]:
        for statement in self.statements:
            for variant in statement.variants:
                if statement.choose is None or genome[f"{variant.path}.gate"]:
                    yield variant

    def _ordered(self, values: Mapping[str, Gene]) -> Genome:
        return Genome(self.program.name, {point.id: values[point.id] for point in self.points})

    def _check(self, genome: Genome) -> None:
        missing = [point.id for point in self.points if point.id not in genome.values]
        surplus = [name for name in genome.values if name not in self._by_id]
        if missing or surplus:
            which = f"it has no value for {missing[0]}" if missing else f"there is no decision point {surplus[0]}"
            raise SpecError([error("E0514", f"this is no genome of {self.program.name}: {which}")])
        for point in self.points:
            if not _fits(point, genome[point.id]):
                message = f"{genome[point.id]!r} is no value for {point.id}, which is a {point.kind}"
                raise SpecError([error("E0514", message, point.span)])


def _is_share(hole: Hole, value: Value) -> bool:
    return hole.role in ("share", "weight", "strength") and isinstance(value, Quantity)


def _fits(point: DecisionPoint, value: Gene) -> bool:
    if point.kind == "gate":
        return isinstance(value, bool)
    if point.kind == "choice":
        return choice_of(point, value) is not None
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _points(variant: Variant, gated: bool, found: list[Diagnostic]) -> list[DecisionPoint]:
    points: list[DecisionPoint] = []
    if gated:
        span = variant.step.where.layers[0].span or variant.step.where.span
        family = f"steps[{variant.statement}]"
        points.append(DecisionPoint(f"{variant.path}.gate", "gate", family=family, layer=variant.layer, span=span))

    def collect(hole: Hole) -> Value:
        made = point_of(hole, variant.layer)
        if isinstance(made, Diagnostic):
            found.append(made)
        else:
            points.append(made)
        return hole.open

    decide_step(variant.step, variant.path, collect)
    return points


def _families(variant: Variant, points: list[DecisionPoint], found: list[Diagnostic]) -> Iterator[Family]:
    own = [point for point in points if point.kind == "weight" and point.id.startswith(f"{variant.path}.")]
    for name in dict.fromkeys(point.family for point in own):
        members = tuple(point for point in own if point.family == name)
        assert name is not None
        mixes = members[0].id.endswith(".share")
        whole = _left_of_mix(variant.step, variant.path, name) if mixes else Fraction(1)
        family = Family(name, members, whole, mixes)
        if sum(family.lows) > float(whole) + 1e-9:
            found.append(error("E0517", "the shares of this mix come to more than the whole", members[0].span))
        yield family


def _left_of_mix(step: Step, path: str, name: str) -> Fraction:
    """What the decided parts of a mix leave to the open ones; of a part with choices the most that it may take."""
    taken: list[Fraction] = []

    def note(hole: Hole) -> Value:
        if hole.family == name and hole.open.choices:
            taken.append(max(choice.value for choice in hole.open.choices if isinstance(choice, Quantity)))
        return hole.open

    decide_step(step, path, note)
    group = next(i for i in range(len(step.groups)) if name.startswith(f"{path}.groups[{i}]."))
    behaviour = step.groups[group].behaviour
    parts = getattr(behaviour, "parts", ())
    fixed = sum((part.share.value for part in parts if isinstance(part.share, Quantity)), Fraction(0))
    return max(Fraction(1) - fixed - sum(taken, Fraction(0)), Fraction(0))


def _with_priors(points: list[DecisionPoint], families: list[Family], gates: list[Gates]) -> tuple[DecisionPoint, ...]:
    """The points with what depends on others: priors of weights within their whole, gates evenly apart."""
    priors: dict[str, Gene] = {}
    for family in families:
        given = [float(point.prior) for point in family.points]
        whole = sum(given) or 1.0
        shares = within(family, [value * float(family.whole) / whole for value in given])
        by_id: dict[str, Gene] = {point.id: share for point, share in zip(family.points, shares, strict=True)}
        priors.update(rounded(family, by_id))
    for one in gates:
        on = spread(range(len(one.ids)), one.most) if one.most else []
        priors.update({name: place in on for place, name in enumerate(one.ids)})
    return tuple(replace(point, prior=priors[point.id]) if point.id in priors else point for point in points)


def _sites(variant: Variant) -> Iterator[tuple[object, ...]]:
    """The sites of a variant as far as the spec alone tells them, to see which collide."""
    where = variant.step.where
    if where.stream == "encoder_output":
        yield (where.stream,)
        return
    indices = [layer.index for layer in where.layers]
    ends = [index for index in indices if index is not None]
    every = range(ends[0], ends[-1] + 1) if where.gradual and len(ends) == len(indices) else ends
    for index in every:
        yield (where.stream, index, where.after_attention)
    for layer in where.layers:
        if layer.index is None:
            yield (where.stream, layer.depth, where.after_attention)
