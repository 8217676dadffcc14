"""From a schedule and a model to a graph with reducers in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from torch import fx

from eosdsl.ir.nodes import AttentionBias
from eosdsl.ir.quantities import Quantity, Word
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.lowering.anatomy import Anatomy
from eosdsl.lowering.discrete import Plan, Reducer, bias_strength
from eosdsl.lowering.insert import insert_reducers
from eosdsl.lowering.masks import refuse_bias
from eosdsl.lowering.probes import refuse_probes
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.trunk import trace
from eosdsl.operators.needs import probes as probes_of
from eosdsl.passes.infer_tokens import count_tokens

Counts = Callable[[int], tuple[tuple[int, ...], ...]]
"""Original tokens of an image → anchors per reduction and group."""


@dataclass(frozen=True)
class Lowered:
    """The graph of the decoder's trunk with a reducer at every site that does something; `first_site`: the first such
    layer, None without any; `counts`: anchors that an image of any size is to have at every reduction."""

    graph: fx.GraphModule
    first_site: int | None
    counts: Counts


def build(schedule: Schedule, anatomy: Anatomy) -> Lowered:
    """Lower a schedule for a model.

    Raises:
        SpecError: E0436, E0437, E0439 where the schedule asks for what cannot be lowered for this model.
    """
    _refuse(schedule, anatomy)
    sites = effective(schedule.reductions)
    starts = [site.site.layer for site in sites]
    lasts = [start - 1 for start in (*starts[1:], len(anatomy.layers))]
    layers = dict(enumerate(anatomy.layers))
    strength = 0.0
    reducers: list[Reducer] = []
    for site, last in zip(sites, lasts[: len(sites)], strict=True):
        strength = bias_strength(site) or strength
        plan = Plan(site, schedule.reductions.index(site), last, strength, schedule.model.grid)
        reducers.append(Reducer(plan, anatomy.config, anatomy.rotary, layers))
    graph = insert_reducers(trace(anatomy.layers, anatomy.norm), reducers)
    return Lowered(graph, starts[0] if starts else None, _counter(schedule))


def effective(reductions: Sequence[SiteReduction]) -> list[SiteReduction]:
    """The reductions without those that change nothing: where all is retained and the bookkeeping is plain.

    Behind an effective site another one that retains all may still renumber, reorder or bias.
    """
    kept: list[SiteReduction] = []
    for reduction in reductions:
        plain = reduction.bookkeeping.order == "position" and reduction.bookkeeping.attention_bias == AttentionBias()
        plain = plain and (reduction.bookkeeping.positions == "keep" or not kept)
        if not (plain and _retains_all(reduction)):
            kept.append(reduction)
    return kept


def _retains_all(reduction: SiteReduction) -> bool:
    """Whether a site keeps every token of every image, whatever its size."""
    amounts = [group.amount for group in reduction.groups]
    first = amounts[0].amount.value
    whole = isinstance(first, Quantity) and first.unit == "ratio" and first.value >= 1
    return len(amounts) == 1 and amounts[0].verb == "retain" and whole and reduction.incoming == reduction.retained


def _counter(schedule: Schedule) -> Counts:
    known = schedule.model

    @lru_cache(maxsize=256)
    def counts(original: int) -> tuple[tuple[int, ...], ...]:
        grid = known.grid if original == known.visual_tokens else None
        return count_tokens(schedule.reductions, original, merge_area=known.merge_area, grid=grid)

    return counts


def _refuse(schedule: Schedule, anatomy: Anatomy) -> None:
    for reduction in schedule.reductions:
        _refuse_site(reduction)
        refuse_probes(probes_of(reduction.groups), reduction.site.layer, reduction.span)
        bias = reduction.bookkeeping.attention_bias
        if isinstance(bias.strength, Word):
            what = f"`attention_bias: {bias.strength.name}` is not built yet"
            refuse("E0436", what, "write `log_size`, or a strength", span=bias.span)
        if bias_strength(reduction):
            refuse_bias(anatomy.config)
    if schedule.model.decoder.sliding_layers:
        refuse("E0433", "decoder layers with sliding-window attention are not supported yet")


def _refuse_site(reduction: SiteReduction) -> None:
    site, span = reduction.site, reduction.span
    if site.stream != "decoder":
        refuse("E0436", f"reductions at {site.stream.replace('_', ' ')} are not built yet", span=span)
    if site.after_attention:
        refuse("E0436", f"reductions after attention (decoder layer {site.layer}) are not built yet", span=span)
    if any(group.count is None for group in reduction.groups):
        refuse("E0436", f"budgets that depend on the image (decoder layer {site.layer}) are not built yet", span=span)
