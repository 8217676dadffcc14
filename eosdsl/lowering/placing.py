"""Which reducer stands where: a reducer module for every effective site of a schedule, in the order that they act."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import nn

from eosdsl.cost.learned import asked_at, site_key
from eosdsl.ir.nodes import AttentionBias
from eosdsl.ir.quantities import Word
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.lowering.anatomy import Anatomy, CellTower, Tower
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cell_layers import CellLayer
from eosdsl.lowering.cell_reducer import CellReducer
from eosdsl.lowering.counting import counting
from eosdsl.lowering.discrete import Arriving, Reducer, TowerReducer
from eosdsl.lowering.insert import AnyReducer, Placed
from eosdsl.lowering.learned import SiteNetworks, at_site
from eosdsl.lowering.masks import refuse_bias, refuse_windows
from eosdsl.lowering.probes import refuse_probes
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.steps import Plan, bias_strength
from eosdsl.operators.needs import probes as probes_of


def place_in_decoder(
    schedule: Schedule,
    sites: Sequence[SiteReduction],
    in_tower: Sequence[SiteReduction],
    anatomy: Anatomy,
    networks: nn.ModuleDict,
) -> list[Placed]:
    """The decoder's reducers for `sites`; before them the arrival of features, where the tower is reduced."""
    every = [*([_arrival(in_tower)] if in_tower else []), *sites]
    boundaries = [_boundary(site) for site in every]
    lasts = [later - 1 for _, later in pairwise([*boundaries, len(anatomy.layers)])]
    plans = _plans(schedule, every, boundaries, lasts, anatomy.config, anatomy.attending)
    if plans and anatomy.attending.window is not None:
        refuse_windows(anatomy.config)
    return [_placed(plan, _decoder_reducer(plan, anatomy, _asking(plan, schedule, networks))) for plan in plans]


def place_in_tower(
    schedule: Schedule, sites: Sequence[SiteReduction], tower: Tower, networks: nn.ModuleDict
) -> tuple[list[Placed], Placed | None]:
    """The tower's reducers for `sites`: those among its layers, and the one at its output."""
    boundaries = [_boundary(site, tower.feature_layer) for site in sites]
    layers = dict(enumerate(tower.layers))
    plans = _plans(schedule, sites, boundaries, boundaries, tower.config)
    placed = [
        _placed(plan, TowerReducer(plan, tower.config, layers, _asking(plan, schedule, networks))) for plan in plans
    ]
    output = placed.pop() if sites and sites[-1].site.stream == "encoder_output" else None
    return placed, output


def place_in_cells(
    schedule: Schedule,
    sites: Sequence[SiteReduction],
    tower: CellTower,
    cells: Sequence[CellLayer],
    networks: nn.ModuleDict,
) -> tuple[list[Placed], Placed | None]:
    """As `place_in_tower`, where patches are joined behind the tower."""
    boundaries = [_boundary(site, tower.feature_layer) for site in sites]
    layers = dict(enumerate(cells))
    plans = _plans(schedule, sites, boundaries, boundaries, tower.config)
    placed = [
        _placed(plan, CellReducer(plan, tower.config, layers, _asking(plan, schedule, networks), tower.leading))
        for plan in plans
    ]
    output = placed.pop() if sites and sites[-1].site.stream == "encoder_output" else None
    return placed, output


def _plans(
    schedule: Schedule,
    sites: Sequence[SiteReduction],
    boundaries: Sequence[int],
    lasts: Sequence[int],
    config: Any,
    attending: Attending = CAUSAL,
) -> list[Plan]:
    recount = counting(schedule)
    plans: list[Plan] = []
    strength, renumbers = 0.0, False
    for site, boundary, last in zip(sites, boundaries, lasts, strict=True):
        _refuse_site(site, boundary)
        strength = bias_strength(site) or strength
        if strength:
            refuse_bias(config)
        renumbers = renumbers or site.bookkeeping.positions == "compact"
        place = schedule.reductions.index(site) if site in schedule.reductions else -1
        plans.append(Plan(site, place, boundary, last, strength, schedule.model.grid, recount, renumbers, attending))
    return plans


def _decoder_reducer(plan: Plan, anatomy: Anatomy, networks: SiteNetworks) -> Reducer | Arriving:
    if plan.site.site.stream != "decoder":
        return Arriving(plan, anatomy.config, anatomy.rotary)
    return Reducer(plan, anatomy.config, anatomy.rotary, dict(enumerate(anatomy.layers)), networks)


def _asking(plan: Plan, schedule: Schedule, networks: nn.ModuleDict) -> SiteNetworks:
    """Of all networks those that a reduction asks."""
    return at_site(networks, asked_at(plan.site.site, plan.probes, schedule.model))


def _placed(plan: Plan, reducer: AnyReducer) -> Placed:
    site = plan.site.site
    if isinstance(reducer, Arriving):
        return Placed("at_input_from_tower", reducer)
    return Placed(f"at_{site_key(site)}", reducer, site.after_attention)


def _arrival(in_tower: Sequence[SiteReduction]) -> SiteReduction:
    """The bookkeeping with which the decoder takes in what the tower left: positions of the last site that names a
    policy, a bias only from the tower's output (one inside the tower stays there).
    """
    last = in_tower[-1]
    named = [site.bookkeeping.positions for site in in_tower if site.bookkeeping.positions != "keep"]
    bias = last.bookkeeping.attention_bias if last.site.stream == "encoder_output" else AttentionBias()
    bookkeeping = last.bookkeeping.model_copy(
        update={"positions": named[-1] if named else "keep", "attention_bias": bias, "order": "position"}
    )
    site = last.site.model_copy(update={"stream": "encoder_output", "layer": 0, "after_attention": False})
    return last.model_copy(update={"bookkeeping": bookkeeping, "groups": (), "site": site})


def _boundary(site: SiteReduction, features: int = 0) -> int:
    """The layer in front of which a site lies; the tower's output lies in front of `features`."""
    if site.site.stream == "encoder_output":
        return features
    return site.site.layer + 1 if site.site.after_attention else site.site.layer


def _refuse_site(reduction: SiteReduction, boundary: int) -> None:
    bias = reduction.bookkeeping.attention_bias
    if isinstance(bias.strength, Word):
        what = f"`attention_bias: {bias.strength.name}` is not built yet"
        refuse("E0436", what, "write `log_size`, or a strength", span=bias.span)
    tower = reduction.site.stream != "decoder"
    refuse_probes(probes_of(reduction.groups), boundary, tower=tower, span=reduction.span)
