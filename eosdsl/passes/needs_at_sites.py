"""Whether the sites of a program offer what its operators read (E0403), and what operators say themselves (E022x)."""

from __future__ import annotations

from eosdsl.diagnostics import Diagnostic, SpecError, error
from eosdsl.ir.quantities import Call
from eosdsl.ir.schedule import BoundGroup, Site
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Operator, Score
from eosdsl.operators.binding import bind_call
from eosdsl.operators.bound import bind_groups, calls
from eosdsl.passes.offers import missing
from eosdsl.passes.sites import site_name


def uses_score(group: BoundGroup) -> bool:
    """Whether the group's scores are read at all."""
    return bind_groups((group,))[0].needs_scores


def check_needs(group: BoundGroup, site: Site, facts: ModelFacts) -> list[Diagnostic]:
    """What operators of the group ask for and this site of this model cannot give, or why they are no operators."""
    try:
        (bound,) = bind_groups((group,))
    except SpecError as problem:
        return problem.diagnostics
    found: list[Diagnostic] = []
    for operator in bound.operators():
        reasons = {missing(probe, site, facts) for probe in operator.probes()} - {None}
        found += [_unavailable(_written(operator, group), reason, site) for reason in sorted(map(str, reasons))]
    return found


def _written(operator: Operator, group: BoundGroup) -> Call:
    """The call that the operator was written as; what a pick brings along was written as the pick."""
    named = [call for call in calls(group) if call.name == operator.name]
    if len(named) > 1 and isinstance(operator, Score):
        named = [call for call in named if bind_call("scores", call)[0] == operator]
    return named[0] if named else group.pick


def _unavailable(call: Call, reason: str, site: Site) -> Diagnostic:
    helps: tuple[str, ...] = ()
    if call.name == "attention":
        helps = ("`norm(hidden)` is there at every site",)
        if site.stream == "decoder" and site.layer == 0 and not site.after_attention:
            helps = ("`layer: next` looks ahead into the layer about to run", *helps)
    return error("E0403", f"`{call.name}` cannot be had at {site_name(site)}", call.span, reason, helps=helps)
