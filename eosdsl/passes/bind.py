"""Binding a program to a model: absolute sites in forward order, counts for its usual image, everything decided."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from difflib import get_close_matches

from eosdsl.diagnostics import Diagnostic, Label, error, info
from eosdsl.ir.nodes import Amount, DiscreteProgram, Group
from eosdsl.ir.quantities import Call, Word
from eosdsl.ir.schedule import BoundGroup, Schedule, Site, SiteAmount, SiteReduction
from eosdsl.models.facts import ModelFacts
from eosdsl.models.profiles import profiles
from eosdsl.passes.budgets import check_budgets
from eosdsl.passes.default_scores import default_score, score_text
from eosdsl.passes.expand_ranges import PlacedStep, expand_step
from eosdsl.passes.flow_findings import flow_findings
from eosdsl.passes.infer_tokens import SiteCount, is_adaptive, layer_tokens, token_flow, usual_image
from eosdsl.passes.needs_at_sites import check_needs, uses_score
from eosdsl.passes.sites import forward_order, site_name, sites_name


def bind(program: DiscreteProgram, facts: ModelFacts) -> tuple[Schedule | None, list[Diagnostic]]:
    """The program on this model, or None with the errors that keep it from being one.

    Warnings and information come along in both cases. `expect` clauses are judged by `eosdsl.cost.expect`.
    """
    found = _family(program, facts)
    if any(d.code == "E0401" for d in found):
        return None, found  # what else does not fit another family's model follows from that
    placed, problems = _placed_steps(program, facts)
    found += problems
    found += _collisions(placed)
    reductions = tuple(_reduction(one, facts) for one in placed)
    found += check_needs(reductions, facts)
    if any(d.is_error for d in found):
        return None, _once(found)
    found += _default_findings(placed, reductions)
    image = usual_image(facts)
    flow = token_flow(reductions, image)
    counted = _with_counts(reductions, flow, token_flow(reductions, image, least=True))
    found += flow_findings(counted, flow, image)
    if any(d.is_error for d in found):
        return None, _once(found)
    encoder_layers = facts.encoder.layers if facts.encoder else 0
    schedule = Schedule(
        name=program.name,
        model=facts,
        reductions=counted,
        encoder_tokens=tuple(t.entering for t in layer_tokens(counted, flow, image, "encoder", encoder_layers)),
        decoder_tokens=tuple(t.entering for t in layer_tokens(counted, flow, image, "decoder", facts.decoder.layers)),
        expectations=program.expectations,
        span=program.span,
    )
    return schedule, _once(found)


def _family(program: DiscreteProgram, facts: ModelFacts) -> list[Diagnostic]:
    if program.family in (None, facts.family):
        return []
    known = tuple(profiles())
    if program.family not in known:
        near = get_close_matches(program.family, known, n=1)
        helps = (f"did you mean `{near[0]}`?",) if near else ("families are " + ", ".join(known),)
        return [error("E0402", f"no model family is called `{program.family}`", program.span, helps=helps)]
    message = f"{program.name} is for {program.family}, and {facts.name} is of the family {facts.family}"
    helps = (f"write `for {facts.family}`, or leave `for` out to allow any family",)
    return [error("E0401", message, program.span, helps=helps)]


def _placed_steps(program: DiscreteProgram, facts: ModelFacts) -> tuple[list[PlacedStep], list[Diagnostic]]:
    """All statements at all their sites, in forward order."""
    placed: list[PlacedStep] = []
    found: list[Diagnostic] = []
    for statement, step in enumerate(program.steps):
        sites, problems = expand_step(step, statement, facts, program.name)
        placed += sites
        found += problems or check_budgets(step, len(sites))
    placed.sort(key=lambda one: forward_order(one.place.site))
    return placed, found


def _collisions(placed: list[PlacedStep]) -> Iterator[Diagnostic]:
    """Sites that are named twice; `layer 0` and `input` are one."""
    first: dict[Site, PlacedStep] = {}
    reported: set[tuple[int, int]] = set()
    for one in placed:
        earlier = first.setdefault(one.place.site, one)
        pair = (earlier.statement, one.statement)
        if earlier is one or pair in reported:
            continue
        reported.add(pair)
        helps = ("join them with `and`: at one site, groups choose one after the other",)
        label = "here again"
        found = error(
            "E0342", f"two statements reduce at {site_name(one.place.site)}", one.place.span, label, (), helps
        )
        if earlier.place.span and earlier.place.span != one.place.span:
            found = replace(found, labels=(*found.labels, Label(earlier.place.span, "here first")))
        yield found


def _default_findings(placed: list[PlacedStep], reductions: tuple[SiteReduction, ...]) -> Iterator[Diagnostic]:
    """Which score was taken where none is written; silent where the pick reads no score, or nothing is kept."""
    taken: dict[tuple[int, int], dict[str, list[Site]]] = {}
    groups: dict[tuple[int, int], Group] = {}
    for one, reduction in zip(placed, reductions, strict=True):
        for number, group in enumerate(one.step.groups):
            bound = reduction.groups[number]
            if group.score is not None or not isinstance(bound.score, Call) or not uses_score(bound):
                continue
            if group.budget.verb == "remove" and all(_is_all(amount) for amount in group.budget.amounts):
                continue
            key = (one.statement, number)
            groups[key] = group
            text = score_text(bound.score)
            taken.setdefault(key, {}).setdefault(text, []).append(one.place.site)
    for key, sites_by_score in taken.items():
        for text, sites in sites_by_score.items():
            where = f" at {sites_name(sites)}" if len(sites_by_score) > 1 else ""
            message = f"no `by` is written: tokens are ranked by {text}{where}"
            yield info("I0341", message, groups[key].budget.span or groups[key].span, f"by {text}")


def _is_all(amount: Amount) -> bool:
    return isinstance(amount.value, Word) and amount.value.name == "all"


def _reduction(one: PlacedStep, facts: ModelFacts) -> SiteReduction:
    """The statement at one site; counts are filled in when all sites are known."""
    return SiteReduction(
        site=one.place.site,
        statement=one.statement,
        groups=tuple(
            _bound(group, amount, one.place.site, facts)
            for group, amount in zip(one.step.groups, one.amounts, strict=True)
        ),
        bookkeeping=one.step.bookkeeping,
        incoming=0,
        retained=0,
        span=one.place.span or one.step.span,
    )


def _bound(group: Group, amount: SiteAmount, site: Site, facts: ModelFacts) -> BoundGroup:
    assert isinstance(group.pick, Call)  # a discrete program leaves nothing open
    score = group.score if group.score is not None else default_score(site, facts)
    return BoundGroup(
        amount=amount, score=score, pick=group.pick, behaviour=group.behaviour, count=None, span=group.span
    )


def _with_counts(
    reductions: tuple[SiteReduction, ...], most: tuple[SiteCount, ...], least: tuple[SiteCount, ...]
) -> tuple[SiteReduction, ...]:
    return tuple(
        reduction.model_copy(
            update={"groups": _counted(reduction, high, low), "incoming": high.incoming, "retained": high.retained}
        )
        for reduction, high, low in zip(reductions, most, least, strict=True)
    )


def _counted(reduction: SiteReduction, most: SiteCount, least: SiteCount) -> tuple[BoundGroup, ...]:
    """Groups with their counts: None where the count, or that of an earlier group of the site, adapts to the image."""
    groups: list[BoundGroup] = []
    adaptive = False
    for group, high, low in zip(reduction.groups, most.anchors, least.anchors, strict=True):
        adaptive = adaptive or is_adaptive(group.amount.amount) or high != low
        groups.append(group.model_copy(update={"count": None if adaptive else high}))
    return tuple(groups)


def _once(found: list[Diagnostic]) -> list[Diagnostic]:
    """Each finding once: a statement at many sites is wrong in one way."""
    return list(dict.fromkeys(found))
