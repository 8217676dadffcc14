"""From a space and a model to relaxed reducers: one for every site at which something may be reduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from torch import nn

from eosdsl.cost.learned import site_key
from eosdsl.diagnostics import SpecError
from eosdsl.ir.nodes import Step
from eosdsl.ir.quantities import Quantity, Word
from eosdsl.ir.space import Space
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.insert import Placed
from eosdsl.lowering.learned import SiteNetworks
from eosdsl.lowering.masks import refuse_bias
from eosdsl.lowering.probes import refuse_probes
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.relaxing.groups import hole_paths, soft_groups
from eosdsl.lowering.relaxing.numbers import Number, constant, number_of
from eosdsl.lowering.relaxing.reducer import RelaxedReducer, SoftPlan
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.candidates import Variant
from eosdsl.passes.expand_ranges import PlacedStep, expand_step
from eosdsl.passes.sites import forward_order, site_name


@dataclass(frozen=True)
class OpenSite:
    """A site of the space, with the statement and candidate that it belongs to."""

    placed: PlacedStep
    variant: Variant
    gate: str | None


def open_sites(space: Space, facts: ModelFacts) -> list[OpenSite]:
    """All sites of a space in forward order, those too whose gates may close.

    Raises:
        SpecError: E03xx for sites that the model does not have, E0520 for two statements at one site.
    """
    found: list[OpenSite] = []
    for statement in space.statements:
        for variant in statement.variants:
            placed, problems = expand_step(variant.step, variant.statement, facts, space.program.name)
            errors = [problem for problem in problems if problem.is_error]
            if errors:
                raise SpecError(errors)
            gate = None if statement.choose is None else f"{variant.path}.gate"
            found += [OpenSite(one, variant, gate) for one in placed]
    found.sort(key=lambda one: forward_order(one.placed.place.site))
    for one, other in pairwise(found):
        site = other.placed.place.site
        if one.placed.place.site == site:
            message = f"two statements may reduce at {site_name(site)}: that cannot be relaxed"
            refuse("E0520", message, "give each statement layers of its own", span=other.placed.place.span)
    return found


def soft_plan(open_site: OpenSite, space: Space, facts: ModelFacts, features: int, attending: Attending) -> SoftPlan:
    """What the reducer of a site knows ahead. `features`: the layer of the tower in front of which its output lies.

    Raises:
        SpecError: E0520 where something cannot be relaxed, E0403 and E0437 where the site lacks what is read.
    """
    site = open_site.placed.place.site
    step = open_site.variant.step
    _refuse_bookkeeping(step)
    boundary = site.layer + 1 if site.after_attention else site.layer
    if site.stream == "encoder_output":
        boundary = features
    plan = SoftPlan(
        site=site,
        statement=open_site.placed.statement,
        boundary=boundary,
        groups=soft_groups(open_site.placed, open_site.variant, space, facts),
        gate=open_site.gate,
        strength=_strength(open_site.variant, space),
        grid=facts.grid,
        attending=attending if site.stream == "decoder" else CAUSAL,
    )
    refuse_probes(plan.probes, boundary, tower=plan.in_tower, span=step.span)
    return plan


def placed_reducer(plan: SoftPlan, config: Any, layers: Mapping[int, nn.Module], networks: SiteNetworks) -> Placed:
    """A reducer with its name in the graph."""
    refuse_bias(config)
    site = plan.site
    return Placed(f"at_{site_key(site)}", RelaxedReducer(plan, config, layers, networks), site.after_attention)


def _strength(variant: Variant, space: Space) -> Number | None:
    strength = variant.step.bookkeeping.attention_bias.strength
    if isinstance(strength, Word):
        refuse("E0436", f"`attention_bias: {strength.name}` is not built yet", "write `log_size`, or a strength")
    if isinstance(strength, Quantity):
        return constant(float(strength.value)) if strength.value else None
    return number_of(strength, space, hole_paths(variant))


def _refuse_bookkeeping(step: Step) -> None:
    """Rows do not move while a program is relaxed."""
    bookkeeping = step.bookkeeping
    if bookkeeping.positions != "keep":
        what = f"`positions: {bookkeeping.positions}` cannot be relaxed: rows keep their places in a search"
        refuse("E0520", what, "search with positions kept, and renumber in what was found", span=step.span)
    if bookkeeping.order != "position":
        refuse("E0520", f"`order: {bookkeeping.order}` cannot be relaxed: rows do not move", span=step.span)
