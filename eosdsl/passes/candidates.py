"""The statements of a space at their candidate sites: one variant for each place that `any … of` leaves open.

A score that a candidate cannot offer is left out of that candidate's sum, a pick out of its choices (I0515); a
candidate for which nothing is left is no candidate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from eosdsl.diagnostics import Diagnostic, error, info
from eosdsl.ir.nodes import Group, LayerRef, Mix, Product, RelaxedProgram, ScoreExpr, Step, Sum, Weighted
from eosdsl.ir.quantities import Call, Open, Value
from eosdsl.ir.schedule import Site
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.base import AttentionProbe, KeysProbe, Operator, Probe, ValuesProbe
from eosdsl.operators.binding import bind_call
from eosdsl.operators.registry import Kind
from eosdsl.passes.offers import missing
from eosdsl.passes.sites import site_name

CODES = {
    "E0513": """A candidate layer can only be told with a model.

    `any … of layers depth 25%, …` names layers by their depth, so that which they are depends on the model. Name the
    model (`--model`), or write the layers' numbers.
    """,
    "I0515": """A candidate cannot offer what the space reads.

    Where `any … of` leaves the place open, a score that one of the places cannot offer is left out of that place's sum,
    and a pick out of its choices: at `layer 0` no layer has run before, and there is no attention to read.
    """,
}


@dataclass(frozen=True)
class Variant:
    """A statement at its sites, decided but for its holes. path: of its holes; layer: the candidate that it stands for,
    None where the statement leaves no place open.
    """

    path: str
    statement: int
    layer: int | None
    step: Step


@dataclass(frozen=True)
class Statement:
    """One statement: `choose` so many of its `variants`, None: it has one, and that acts."""

    variants: tuple[Variant, ...]
    choose: tuple[int, int] | None


def statements(space: RelaxedProgram, facts: ModelFacts | None) -> tuple[tuple[Statement, ...], list[Diagnostic]]:
    """The statements of a space, and what is to be said about their candidates."""
    found: list[Diagnostic] = []
    made: list[Statement] = []
    for number, step in enumerate(space.steps):
        if step.where.choose is None:
            made.append(Statement((Variant(f"steps[{number}]", number, None, step),), None))
            continue
        variants = tuple(_variants(step, number, facts, found))
        low, high = step.where.choose
        made.append(Statement(variants, (min(low, len(variants)), min(high, len(variants)))))
    return tuple(made), list(dict.fromkeys(found))


def _variants(step: Step, number: int, facts: ModelFacts | None, found: list[Diagnostic]) -> Iterator[Variant]:
    where = step.where
    for ref in where.layers:
        layer = _index(ref, where.stream, facts)
        if layer is None:
            found.append(error("E0513", "which layer this is depends on the model", ref.span, "name the model"))
            continue
        site = Site(stream=where.stream, layer=layer, after_attention=where.after_attention)
        groups = [_offered_group(group, site, facts, found) for group in step.groups]
        if any(group is None for group in groups):
            continue
        here = where.model_copy(update={"choose": None, "layers": (ref,)})
        kept = tuple(group for group in groups if group is not None)
        yield Variant(
            f"steps[{number}].layers[{layer}]", number, layer, step.model_copy(update={"where": here, "groups": kept})
        )


def _index(ref: LayerRef, stream: str, facts: ModelFacts | None) -> int | None:
    if ref.index is not None:
        return ref.index
    if facts is None or ref.depth is None:
        return None
    depth = facts.encoder.layers if stream == "encoder" and facts.encoder else facts.decoder.layers
    return int(ref.depth * depth)


def _offered_group(group: Group, site: Site, facts: ModelFacts | None, found: list[Diagnostic]) -> Group | None:
    """The group with what the site can offer; None where nothing would be left of it."""
    score = None if group.score is None else _offered_score(group.score, site, facts, found)
    pick = _offered_choice("picks", group.pick, site, facts, found)
    behaviour = group.behaviour
    if isinstance(behaviour, Mix):
        reasons = [_lacking("behaviours", part.behaviour, site, facts) for part in behaviour.parts]
        kept: Value | Mix | None = None if any(reasons) else behaviour
        found.extend(_left_out(p.behaviour, r, site) for p, r in zip(behaviour.parts, reasons, strict=True) if r)
    else:
        kept = _offered_choice("behaviours", behaviour, site, facts, found)
    if pick is None or kept is None:
        return None
    return group.model_copy(update={"score": score, "pick": pick, "behaviour": kept})


def _offered_score(score: ScoreExpr, site: Site, facts: ModelFacts | None, found: list[Diagnostic]) -> ScoreExpr | None:
    match score:
        case Call():
            reason = _lacking("scores", score, site, facts)
            if reason is None:
                return score
            found.append(_left_out(score, reason, site))
            return None
        case Weighted():
            inner = _offered_score(score.score, site, facts, found)
            return None if inner is None else score.model_copy(update={"score": inner})
        case Product():
            factors = [_offered_score(factor, site, facts, found) for factor in score.factors]
            return None if any(factor is None for factor in factors) else score
        case Sum():
            terms = tuple(_offered_score(term, site, facts, found) for term in score.terms)
            kept = tuple(term for term in terms if term is not None)
            return score.model_copy(update={"terms": kept}) if kept else None


def _offered_choice(
    kind: Kind, chosen: Call | Open, site: Site, facts: ModelFacts | None, found: list[Diagnostic]
) -> Call | Open | None:
    if isinstance(chosen, Call):
        reason = _lacking(kind, chosen, site, facts)
        if reason is not None:
            found.append(_left_out(chosen, reason, site))
        return None if reason is not None else chosen
    reasons = [_lacking(kind, choice, site, facts) if isinstance(choice, Call) else None for choice in chosen.choices]
    found.extend(
        _left_out(choice, reason, site)
        for choice, reason in zip(chosen.choices, reasons, strict=True)
        if reason is not None and isinstance(choice, Call)
    )
    kept = tuple(choice for choice, reason in zip(chosen.choices, reasons, strict=True) if reason is None)
    if chosen.choices and not kept:
        return None
    prior = chosen.prior if chosen.prior in kept else None
    return chosen.model_copy(update={"choices": kept, "prior": prior})


def _lacking(kind: Kind, call: Call, site: Site, facts: ModelFacts | None) -> str | None:
    """Why a site cannot give what an operator reads; None where it can, or where that is not decided yet."""
    bound, _ = bind_call(kind, call)
    if not isinstance(bound, Operator):
        return None
    for probe in sorted(bound.probes(), key=repr):
        reason = missing(probe, site, facts) if facts is not None else _without_model(probe, site)
        if reason is not None:
            return reason
    return None


def _without_model(probe: Probe, site: Site) -> str | None:
    """What no model offers: the attention, keys and values of a layer before the first."""
    first = site.layer == 0 and not site.after_attention and site.stream != "encoder_output"
    reads = isinstance(probe, KeysProbe | ValuesProbe) or (
        isinstance(probe, AttentionProbe) and probe.layer == "previous"
    )
    return f"no layer has run before {site_name(site)}" if first and reads else None


def _left_out(call: Call, reason: str, site: Site) -> Diagnostic:
    return info("I0515", f"`{call.name}` is left out at {site_name(site)}", call.span, reason)
