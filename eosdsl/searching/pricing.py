"""What a relaxed program costs as it stands: its sites and operators with the shares in which they are used.

A gate charges for its site, a pick and a behaviour for what it needs by its probability. A score or a part of a mix is
used or it is not: it is charged whole from the share on at which deriving keeps it, and in proportion below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import torch
from torch import Tensor

from eosdsl.cost.latency import LatencyProfile
from eosdsl.cost.measures import Amounts
from eosdsl.diagnostics import SpecError
from eosdsl.ir.holes import Hole, decide_step
from eosdsl.ir.nodes import Behaviour, DiscreteProgram, Mix, Step, Sum
from eosdsl.ir.quantities import Call, Open, Quantity, Value
from eosdsl.ir.schedule import BoundGroup, Site, SiteReduction
from eosdsl.ir.space import Space
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Operator
from eosdsl.operators.bound import GroupOperators, bind_groups
from eosdsl.passes.bind import bind
from eosdsl.passes.candidates import Variant
from eosdsl.passes.infer_tokens import usual_image
from eosdsl.searching.batch import Batch
from eosdsl.searching.learnable import Learnable
from eosdsl.searching.soft_cost import Charge, SoftGroup, SoftSite, SoftTokens, soft_amounts

LEAST_SHARE = Fraction(1, 20)
"""Deriving drops scores and parts of a mix below this share."""


@dataclass(frozen=True)
class Use:
    """An operator, and what decides how much it is used: a choice (id, which one), and a share (id)."""

    operator: Operator
    choices: tuple[tuple[str, int], ...] = ()
    share: str | None = None

    def charge(self, values: Mapping[str, Tensor], one: Tensor) -> Charge:
        used = one
        for name, which in self.choices:
            used = used * values[name][which]
        if self.share is not None:
            used = used * (values[self.share] / float(LEAST_SHARE)).clamp(max=1.0)
        return Charge(self.operator, used)


@dataclass(frozen=True)
class PricedSite:
    """A candidate site: its gate's id (None: it always acts), and per group the operators and the budget's id."""

    site: Site
    gate: str | None
    groups: tuple[tuple[Use, ...], ...]
    budgets: tuple[tuple[str, float], ...]


class Prices:
    """Prices forwards of a relaxed program over a space."""

    def __init__(
        self, relaxed: Learnable, space: Space, facts: ModelFacts, *, profile: LatencyProfile | None = None
    ) -> None:
        self._relaxed, self._facts, self._profile = relaxed, facts, profile
        self._sites = tuple(
            site
            for statement in space.statements
            for variant in statement.variants
            for site in _priced(variant, statement.choose is not None, space, facts)
        )

    def __call__(self, batch: Batch) -> Amounts[Tensor]:
        """The price of the last forward, which was of this batch."""
        tokens = self._tokens(batch)
        values = self._relaxed.values()
        sites = [self._soft(site, tokens, values) for site in self._sites]
        return soft_amounts(self._facts, tokens, sites, profile=self._profile)

    def full(self) -> Amounts[Tensor]:
        """That of the model without reduction."""
        return soft_amounts(self._facts, SoftTokens.whole(self._facts), [], profile=self._profile)

    def _tokens(self, batch: Batch) -> SoftTokens:
        """The mean over questions, in tokens of the model's usual image."""
        flow = self._relaxed.flow
        original = torch.tensor(flow.original, dtype=flow.decoder.dtype, device=flow.decoder.device)
        weights = batch.per_image().to(flow.decoder) * (self._facts.visual_tokens / original)
        return SoftTokens(
            entering=weights @ flow.decoder,
            in_mlp=weights @ flow.decoder_mlp,
            patches=weights @ flow.encoder,
            patches_in_mlp=weights @ flow.encoder_mlp,
            arriving=weights @ flow.arriving,
        )

    def _soft(self, priced: PricedSite, tokens: SoftTokens, values: Mapping[str, Tensor]) -> SoftSite:
        one = torch.ones_like(tokens.entering[0])
        incoming, kept = self._around(priced.site, tokens)
        parts = _parts(priced.budgets, values, kept, self._facts.visual_tokens)
        groups = tuple(
            SoftGroup(part, tuple(use.charge(values, one) for use in uses))
            for part, uses in zip(parts, priced.groups, strict=True)
        )
        in_decoder = priced.site.stream == "decoder"
        return SoftSite(values[priced.gate] if priced.gate else one, in_decoder, incoming, groups)

    def _around(self, site: Site, tokens: SoftTokens) -> tuple[Tensor, Tensor]:
        """What arrives at a site and what stays."""
        image, encoder = usual_image(self._facts), self._facts.encoder
        if site.stream == "encoder_output":
            others = image.original - image.patches // image.merge_area
            assert encoder is not None
            return tokens.patches_in_mlp[encoder.layers_run - 1], (tokens.arriving - others) * image.merge_area
        entering, in_mlp, first = tokens.entering, tokens.in_mlp, tokens.arriving
        if site.stream == "encoder":
            entering, in_mlp, first = tokens.patches, tokens.patches_in_mlp, torch.full_like(first, image.patches)
        if site.after_attention:
            return entering[site.layer], in_mlp[site.layer]
        return in_mlp[site.layer - 1] if site.layer else first, entering[site.layer]


def _parts(
    budgets: Sequence[tuple[str, float]], values: Mapping[str, Tensor], kept: Tensor, whole: int
) -> list[Tensor]:
    """What every group keeps, in proportion of their budgets."""
    if len(budgets) == 1:
        return [kept]
    asked: list[Tensor] = []
    for name, decided in budgets:
        value = values.get(name, torch.as_tensor(decided).to(kept))
        asked.append(torch.where(value <= 1, value * whole, value) if name in values else value)
    whole_asked = torch.stack(asked).sum().clamp(min=1e-6)
    return [one / whole_asked * kept for one in asked]


def _priced(variant: Variant, gated: bool, space: Space, facts: ModelFacts) -> Iterator[PricedSite]:
    """The sites of a variant with the uses of their operators."""
    step = decide_step(variant.step, variant.path, lambda hole: _plain(hole, space))
    opened = [group.pick for group in step.groups], [group.behaviour for group in step.groups]
    for reduction in _reductions(step, space, facts):
        groups = tuple(
            tuple(_uses(group, pick, behaviour, f"{variant.path}.groups[{number}]", space))
            for number, (group, pick, behaviour) in enumerate(zip(reduction.groups, *opened, strict=True))
        )
        budgets = tuple(
            (f"{variant.path}.groups[{number}].budget", float(group.count or 0))
            for number, group in enumerate(reduction.groups)
        )
        yield PricedSite(reduction.site, f"{variant.path}.gate" if gated else None, groups, budgets)


def _reductions(step: Step, space: Space, facts: ModelFacts) -> tuple[SiteReduction, ...]:
    groups = tuple(
        group.model_copy(update={"pick": _first(group.pick), "behaviour": _first(group.behaviour)})
        for group in step.groups
    )
    own = space.program
    alone = DiscreteProgram(name=own.name, family=own.family, steps=(step.model_copy(update={"groups": groups}),))
    schedule, found = bind(alone, facts)
    if schedule is None:
        raise SpecError([one for one in found if one.is_error])
    return schedule.reductions


def _first(chosen: Call | Mix | Open) -> Behaviour:
    if not isinstance(chosen, Open):
        return chosen
    return next(choice for choice in chosen.choices if isinstance(choice, Call))


def _plain(hole: Hole, space: Space) -> Value:
    """A hole decided so that nothing is left out: picks and behaviours stay open, shares and weights count alike."""
    if hole.role in ("pick", "behaviour"):
        return hole.open
    if hole.role in ("share", "weight"):
        return Quantity(value=Fraction(1, 100))
    point = space.point(hole.path)
    return point.exact(point.prior)


def _uses(group: BoundGroup, pick: Call | Open, behaviour: Behaviour, path: str, space: Space) -> Iterator[Use]:
    """Every operator of a group, by all that decides whether it is used."""
    for chosen, picked in _choices(pick, f"{path}.pick"):
        for number, (behaves, taken) in enumerate(_choices(behaviour, f"{path}.behaviour")):
            one = group.model_copy(update={"pick": picked, "behaviour": taken})
            (bound,) = bind_groups([one])
            if number == 0:
                yield from _chosen_by(bound, group, chosen, path, space)
            yield from _taken_in(bound, taken, (*chosen, *behaves), path, space)


def _choices(opened: Call | Mix | Open, name: str) -> Iterator[tuple[tuple[tuple[str, int], ...], Call | Mix]]:
    """Every choice with what chooses it."""
    if not isinstance(opened, Open):
        yield (), opened
        return
    for which, choice in enumerate(opened.choices):
        if isinstance(choice, Call):
            yield ((name, which),), choice


def _chosen_by(
    bound: GroupOperators, group: BoundGroup, chosen: tuple[tuple[str, int], ...], path: str, space: Space
) -> Iterator[Use]:
    """The pick, and the scores where it reads them."""
    yield Use(bound.pick, chosen)
    if not bound.needs_scores:
        return
    several = isinstance(group.score, Sum)
    for number, term in enumerate(bound.score.terms):
        weight = f"{path}.score[{number}].weight" if several else f"{path}.score.weight"
        share = weight if several and _is_point(space, weight) else None
        for factor in term.factors:
            for score in factor.scores() if not isinstance(factor, Operator) else (factor,):
                yield Use(score, chosen, share)


def _taken_in(
    bound: GroupOperators, taken: Behaviour, chosen: tuple[tuple[str, int], ...], path: str, space: Space
) -> Iterator[Use]:
    """What the parts of the behaviour need."""
    names = [f"{path}.behaviour[{number}].share" for number in _absorbing(taken)]
    for name, part in zip(names or [""] * len(bound.parts), bound.parts, strict=True):
        share = name if _is_point(space, name) else None
        for operator in (part.behaviour, part.similarity, part.support):
            yield Use(operator, chosen, share)


def _absorbing(taken: Behaviour) -> list[int]:
    """The places of the parts of a mix that take something in."""
    if not isinstance(taken, Mix):
        return []
    return [number for number, part in enumerate(taken.parts) if part.behaviour.name != "prune"]


def _is_point(space: Space, name: str) -> bool:
    return any(point.id == name for point in space.points)
