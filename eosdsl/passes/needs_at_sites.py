"""Whether the sites of a program offer what its operators read (E0403), and what operators say themselves (E022x)."""

from __future__ import annotations

from collections.abc import Iterator

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.ir.nodes import Group, Mix
from eosdsl.ir.quantities import Call
from eosdsl.ir.schedule import Site
from eosdsl.ir.walk import find
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import Operator, Pick
from eosdsl.operators.binding import bind_call
from eosdsl.passes.offers import missing
from eosdsl.passes.sites import site_name


def uses_score(group: Group) -> bool:
    """Whether the group's scores are read at all."""
    pick, _ = _pick(group)
    return pick is None or pick.uses_score


def check_needs(group: Group, site: Site, facts: ModelFacts) -> list[Diagnostic]:
    """What operators of the group ask for and this site of this model cannot give."""
    found: list[Diagnostic] = []
    for call, operator, problems in _operators(group):
        found += problems
        reasons = {missing(probe, site, facts) for probe in operator.probes()} if operator else set()
        found += [_unavailable(call, reason, site) for reason in sorted(r for r in reasons if r)]
    return found


def _operators(group: Group) -> Iterator[tuple[Call, Operator | None, list[Diagnostic]]]:
    if group.score is not None and uses_score(group):
        for call in _score_calls(group):
            yield call, *bind_call("scores", call)
    if isinstance(group.pick, Call):
        yield group.pick, *_pick(group)
    for call in _behaviour_calls(group):
        yield call, *bind_call("behaviours", call)


def _score_calls(group: Group) -> Iterator[Call]:
    """The scores of an expression, without the calls that are their own arguments."""
    if group.score is None:
        return
    inner = {id(a) for call in find(group.score, Call) for argument in call.arguments for a in find(argument, Call)}
    yield from (call for call in find(group.score, Call) if id(call) not in inner)


def _behaviour_calls(group: Group) -> tuple[Call, ...]:
    if isinstance(group.behaviour, Mix):
        return tuple(part.behaviour for part in group.behaviour.parts)
    return (group.behaviour,) if isinstance(group.behaviour, Call) else ()


def _pick(group: Group) -> tuple[Pick | None, list[Diagnostic]]:
    return bind_call("picks", group.pick) if isinstance(group.pick, Call) else (None, [])


def _unavailable(call: Call, reason: str, site: Site) -> Diagnostic:
    helps: tuple[str, ...] = ()
    if call.name == "attention":
        helps = ("`norm(hidden)` is there at every site",)
        if site.stream == "decoder" and site.layer == 0 and not site.after_attention:
            helps = ("`layer: next` looks ahead into the layer about to run", *helps)
    return error("E0403", f"`{call.name}` cannot be had at {site_name(site)}", call.span, reason, helps=helps)
