"""Groups of a site with what is open in them: amounts, scores, picks and behaviours as functions of the decisions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import product as product_of

from eosdsl.diagnostics import SpecError, error
from eosdsl.ir.holes import Hole, decide_group, decide_step
from eosdsl.ir.nodes import Behaviour, Group, Mix
from eosdsl.ir.quantities import Value
from eosdsl.ir.schedule import Site
from eosdsl.ir.space import Space
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.alternatives import Alternative, alternatives
from eosdsl.lowering.relaxing.amounts import SoftAmount, soft_amount
from eosdsl.lowering.relaxing.numbers import Chosen, Number, Paths, number_of, probability, product, total
from eosdsl.lowering.relaxing.scores import SoftSum, soft_score
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Absorbing, Combine, Operator, Pick, Similarity, Support, Weight
from eosdsl.operators.similarities.cosine import Cosine
from eosdsl.operators.supports.everywhere import Everywhere
from eosdsl.passes.candidates import Variant
from eosdsl.passes.default_scores import default_score
from eosdsl.passes.expand_ranges import PlacedStep
from eosdsl.passes.offers import missing
from eosdsl.passes.sites import site_name
from eosdsl.source import Span


@dataclass(frozen=True)
class SoftPart:
    """A share of what is given up, the behaviour that takes it in, by which likeness, from where; open parameters of
    the behaviour by (name, decision point)."""

    share: Number
    behaviour: Absorbing
    similarity: Similarity
    support: Support
    open_parameters: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SoftGroup:
    """One group. `picks` with their probabilities; `parts` empty: it prunes. `ways`: where `weight` or `combine` is
    open, the group under each choice, with its probability."""

    amount: SoftAmount
    score: SoftSum
    picks: tuple[tuple[Number, Pick], ...]
    parts: tuple[SoftPart, ...]
    weight: Weight = "size"
    combine: Combine = "average"
    ways: tuple[tuple[Number, SoftGroup], ...] = ()

    @property
    def needs_scores(self) -> bool:
        weighed = self.weight == "score" or any(way.weight == "score" for _, way in self.ways)
        return weighed or any(pick.uses_score for _, pick in self.picks)

    def operators(self) -> Iterator[Operator]:
        """All that has probes."""
        if self.needs_scores:
            yield from self.score.scores()
        yield from (pick for _, pick in self.picks)
        for part in self.parts:
            yield from (part.behaviour, part.similarity, part.support)


def soft_groups(placed: PlacedStep, variant: Variant, space: Space, facts: ModelFacts) -> tuple[SoftGroup, ...]:
    """The groups of a statement at one of its sites.

    Raises:
        SpecError: E0520 where something cannot be relaxed, E0403 where the site does not offer what is read.
    """
    paths = hole_paths(variant)
    site = placed.place.site
    groups = tuple(
        _open_group(
            group, soft_amount(amount, space, paths), f"{variant.path}.groups[{place}]", site, space, facts, paths
        )
        for place, (group, amount) in enumerate(zip(placed.step.groups, placed.amounts, strict=True))
    )
    _refuse_unavailable(groups, site, facts, placed.place.span or placed.step.span)
    return groups


def hole_paths(variant: Variant) -> Paths:
    """The path of every hole of a statement, by the id of its node."""
    paths: dict[int, str] = {}

    def note(hole: Hole) -> Value:
        paths[id(hole.open)] = hole.path
        return hole.open

    decide_step(variant.step, variant.path, note)
    return paths


def _open_group(
    group: Group, amount: SoftAmount, path: str, site: Site, space: Space, facts: ModelFacts, paths: Paths
) -> SoftGroup:
    """A group in all the ways in which it may weigh and combine."""
    ways = list(_ways(group, path, space))
    made = [_group(one, amount, path, site, space, facts, paths) for _, one in ways]
    if len(made) == 1:
        return made[0]
    return replace(made[0], ways=tuple((probability(way), one) for (way, _), one in zip(ways, made, strict=True)))


def _ways(group: Group, path: str, space: Space) -> Iterator[tuple[Chosen, Group]]:
    """What has to be chosen for each way of weighing and combining, and the group with that decided."""
    holes: list[str] = []

    def note(hole: Hole) -> Value:
        if hole.parameter in ("weight", "combine") and hole.path.startswith(f"{path}.behaviour"):
            holes.append(hole.path)
        return hole.open

    decide_group(group, path, note)
    points = [space.point(name) for name in holes]
    for places in product_of(*(range(len(point.choices)) for point in points)):
        assigned = dict(zip(holes, places, strict=True))
        yield tuple(assigned.items()), decide_group(group, path, partial(_decided, assigned=assigned, space=space))


def _decided(hole: Hole, assigned: Mapping[str, int], space: Space) -> Value:
    place = assigned.get(hole.path)
    return hole.open if place is None else space.point(hole.path).choices[place]


def _group(
    group: Group, amount: SoftAmount, path: str, site: Site, space: Space, facts: ModelFacts, paths: Paths
) -> SoftGroup:
    score = group.score if group.score is not None else default_score(site, facts)
    picks = alternatives("picks", group.pick, f"{path}.pick", space)
    for pick in picks:
        if not pick.operator.anchored:
            refuse("E0520", f"`pick {pick.operator.name}` makes rows of its own: it cannot be relaxed", span=group.span)
    shared = _behaviours(group.behaviour, f"{path}.behaviour", space, paths)
    parts = _parts(shared, picks)
    weight, combine = _agreed(parts, group.behaviour)
    if combine == "sequential":
        refuse("E0520", "`combine: sequential` goes token by token: it cannot be relaxed", span=group.span)
    return SoftGroup(
        amount=amount,
        score=soft_score(score, f"{path}.score", space, paths),
        picks=tuple((probability(pick.chosen), pick.operator) for pick in picks),
        parts=parts,
        weight=weight,
        combine=combine,
    )


def _behaviours(behaviour: Behaviour, path: str, space: Space, paths: Paths) -> list[tuple[Number, Alternative]]:
    """Behaviours that take in, with their shares."""
    if not isinstance(behaviour, Mix):
        found = [(probability(one.chosen), one) for one in alternatives("behaviours", behaviour, path, space)]
    else:
        found = [
            (product((number_of(part.share, space, paths), probability(one.chosen))), one)
            for place, part in enumerate(behaviour.parts)
            for one in alternatives("behaviours", part.behaviour, f"{path}[{place}]", space)
        ]
    return [(share, one) for share, one in found if isinstance(one.operator, Absorbing)]


def _parts(shared: list[tuple[Number, Alternative]], picks: list[Alternative]) -> tuple[SoftPart, ...]:
    """Behaviours with their likeness and support: what they leave unsaid each pick may bring along."""
    gathered: dict[tuple[int, Similarity, Support], list[Number]] = {}
    for number, (_, one) in enumerate(shared):
        for pick in picks:
            similarity = one.operator.similarity or pick.operator.own_similarity() or Cosine()
            support = one.operator.within or pick.operator.own_support() or Everywhere()
            gathered.setdefault((number, similarity, support), []).append(probability(pick.chosen))
    return tuple(
        SoftPart(
            shared[number][0] if len(numbers) == len(picks) else product((shared[number][0], total(numbers))),
            shared[number][1].operator,
            similarity,
            support,
            shared[number][1].open_parameters,
        )
        for (number, similarity, support), numbers in gathered.items()
    )


def _agreed(parts: tuple[SoftPart, ...], node: Behaviour) -> tuple[Weight, Combine]:
    """The weight and combine of a group: what its parts say, where they say anything; they must not disagree."""
    told = [part.behaviour for part in parts]
    weights: list[Weight] = [one.weight for one in told if "weight" in one.model_fields_set] or ["size"]
    combines: list[Combine] = [one.combine for one in told if "combine" in one.model_fields_set] or ["average"]
    for field, values in (("weight", sorted(set(weights))), ("combine", sorted(set(combines)))):
        if len(values) > 1:
            message = f"parts of the group disagree about `{field}`: {' and '.join(values)}"
            raise SpecError([error("E0228", message, node.span, "one group, one way")])
    return weights[0], combines[0]


def _refuse_unavailable(groups: tuple[SoftGroup, ...], site: Site, facts: ModelFacts, span: Span | None) -> None:
    for group in groups:
        for operator in group.operators():
            for probe in sorted(operator.probes(), key=repr):
                reason = missing(probe, site, facts)
                if reason is not None:
                    message = f"`{operator.name}` cannot be had at {site_name(site)}"
                    raise SpecError([error("E0403", message, span, reason)])
