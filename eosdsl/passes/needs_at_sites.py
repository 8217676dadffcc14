"""Whether the sites of a program offer what its operators read (E0403), and what operators say themselves (E022x)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.quantities import Call
from eosdsl.ir.schedule import BoundGroup, Site, SiteReduction
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Operator, Score
from eosdsl.operators.binding import bind_call
from eosdsl.operators.bound import bind_groups, calls
from eosdsl.passes.offers import missing
from eosdsl.passes.sites import sites_name


def uses_score(group: BoundGroup) -> bool:
    """Whether the group's scores are read at all."""
    return bind_groups((group,))[0].needs_scores


def check_needs(reductions: Iterable[SiteReduction], facts: ModelFacts) -> list[Diagnostic]:
    """What operators ask for and their sites of this model cannot give, or why they are no operators.

    A statement that asks for the same in vain at many sites is one finding, which names them all.
    """
    found: list[Diagnostic] = []
    unmet: dict[tuple[int, int, Call, str], list[Site]] = {}
    for reduction in reductions:
        for number, group in enumerate(reduction.groups):
            try:
                (bound,) = bind_groups((group,))
            except SpecError as problem:
                found += problem.diagnostics
                continue
            for operator in bound.operators():
                reasons = {missing(probe, reduction.site, facts) for probe in operator.probes()} - {None}
                for reason in sorted(map(str, reasons)):
                    key = (reduction.statement, number, _written(operator, group), reason)
                    unmet.setdefault(key, []).append(reduction.site)
    return [*found, *(_unavailable(call, reason, sites) for (_, _, call, reason), sites in unmet.items())]


def _written(operator: Operator, group: BoundGroup) -> Call:
    """The call that the operator was written as; what a pick brings along was written as the pick."""
    named = [call for call in calls(group) if call.name == operator.name]
    if len(named) > 1 and isinstance(operator, Score):
        named = [call for call in named if bind_call("scores", call)[0] == operator]
    return named[0] if named else group.pick


def _unavailable(call: Call, reason: str, sites: Sequence[Site]) -> Diagnostic:
    site, helps = sites[0], tuple[str, ...]()
    if call.name == "attention":
        helps = ("`norm(hidden)` is there at every site",)
        if site.stream == "decoder" and site.layer == 0 and not site.after_attention:
            helps = ("`layer: next` looks ahead into the layer about to run", *helps)
    return error("E0403", f"`{call.name}` cannot be had at {sites_name(sites)}", call.span, reason, helps=helps)
