"""From the places of a statement to absolute sites, each with its share of the budget."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, error
from eosdsl.ir.nodes import Budget, LayerRef, Step, Where
from eosdsl.ir.schedule import Site, SiteAmount
from eosdsl.models.facts import ModelFacts
from eosdsl.passes.published import published_place
from eosdsl.source import Span


@dataclass(frozen=True)
class Place:
    """One site of a statement; `span` is where it was written."""

    site: Site
    span: Span | None


@dataclass(frozen=True)
class PlacedStep:
    """A statement at one of its sites: `amounts` holds one amount per group."""

    place: Place
    statement: int
    step: Step
    amounts: tuple[SiteAmount, ...]


def expand_step(
    step: Step, statement: int, facts: ModelFacts, program: str
) -> tuple[list[PlacedStep], list[Diagnostic]]:
    """The sites of one statement with their amounts, or what is wrong with them (E0302, E0321, E0323, E0324, E0404)."""
    places, found = _places(step.where, facts, program)
    if found:
        return [], found
    spread = step.where.gradual or any(g.budget.start or g.budget.curve for g in step.groups)
    if spread:
        places.sort(key=lambda place: place.site.layer)
    per_group: list[list[SiteAmount]] = []
    for group in step.groups:
        amounts, problems = _amounts(group.budget, len(places), spread)
        per_group.append(amounts)
        found += problems
    if found:
        return [], found
    return [
        PlacedStep(place, statement, step, amounts)
        for place, amounts in zip(places, zip(*per_group, strict=True), strict=True)
    ], []


def _places(where: Where, facts: ModelFacts, program: str) -> tuple[list[Place], list[Diagnostic]]:
    if where.stream != "decoder" and facts.encoder is None:
        return [], [error("E0404", f"{facts.name} has no vision tower that can be reduced", where.span, "not here")]
    if where.stream == "decoder" and not facts.decoder.layers:
        helps = ("write `encoder layer 3`, `encoder layer 3 after attention` or `encoder output`",)
        return [], [error("E0404", f"{facts.name} is an image encoder: it has no decoder", where.span, "", (), helps)]
    if where.stream == "encoder_output":
        return [Place(Site(stream="encoder_output", layer=-1), where.span)], []
    if not where.layers:
        return [Place(Site(stream=where.stream, layer=0, after_attention=where.after_attention), where.span)], []
    depth = facts.encoder.layers if where.stream == "encoder" and facts.encoder else facts.decoder.layers
    layers, found = _layers(where, depth)
    furthest = {span: layer for layer, span in layers}  # of what was written in one piece, its last layer
    problems = (_misplaced(layer, span or where.span, where, facts, program) for span, layer in furthest.items())
    found += [problem for problem in problems if problem]
    sites = [
        Place(Site(stream=where.stream, layer=layer, after_attention=where.after_attention), span or where.span)
        for layer, span in layers
    ]
    return sites, found


def _layers(where: Where, depth: int) -> tuple[list[tuple[int, Span | None]], list[Diagnostic]]:
    """Absolute layer numbers: of a list each, of a range all between its ends."""
    named = [(_index(ref, depth), ref.span) for ref in where.layers]
    if not where.gradual or len(named) == 1:
        return named, []
    (first, start), (last, end) = named[0], named[-1]
    if first > last:
        message = f"the range runs backwards: layer {first} comes after layer {last} in this model"
        return [], [error("E0324", message, where.span, "write the earlier layer first")]
    if last >= depth:  # past the model, however far: the ends are all that there is to say about it
        return [(first, start), (last, end)], []
    return [(layer, start if layer == first else end) for layer in range(first, last + 1)], []


def _index(ref: LayerRef, depth: int) -> int:
    """A layer number; `depth 25%` is the layer before which a quarter of the layers has run."""
    if ref.index is not None:
        return ref.index
    share = ref.depth or Fraction(0)
    return int(share * depth)


def _misplaced(layer: int, span: Span | None, where: Where, facts: ModelFacts, program: str) -> Diagnostic | None:
    """Why a layer cannot be a site: the model ends before it, or its tower's features were taken before it."""
    encoder = facts.encoder if where.stream == "encoder" else None
    depth = encoder.layers if encoder else facts.decoder.layers
    stack, word = ("encoder", "encoder layer") if encoder else ("decoder", "layer")
    if layer >= depth:
        return error(
            "E0302",
            f"{word} {layer} is past the last {stack} layer",
            span,
            f"{facts.name} has {stack} layers 0..{depth - 1}",
            helps=(
                published_place(program) or f"`depth 25%` names {word} {depth // 4} here, and moves with the model",
            ),
        )
    if encoder and layer >= encoder.layers_run:
        return error(
            "E0321",
            f"encoder layer {layer} runs after the features of {facts.name} have been taken",
            span,
            f"they are the output of encoder layer {encoder.layers_run - 1}",
            helps=("write `encoder output` to reduce the features themselves",),
        )
    return None


def _amounts(budget: Budget, sites: int, spread: bool) -> tuple[list[SiteAmount], list[Diagnostic]]:
    """The amount of one group at every site."""
    given = len(budget.amounts)
    if spread and given > 1:
        what = "a range takes one budget, which it spreads over its layers"
        return [], [error("E0323", what, budget.span, f"{given} are given", helps=("write `layers` to list them",))]
    if given not in (1, sites):
        return [], [error("E0323", f"{given} budgets for {_count(sites)}", budget.span, "one for each, or one for all")]
    if spread:
        amount = budget.amounts[0]
        common = SiteAmount(
            verb=budget.verb, amount=amount, start=budget.start, curve=budget.curve, steps=sites, span=budget.span
        )
        return [common.model_copy(update={"index": i + 1}) for i in range(sites)], []
    each = budget.amounts if given == sites else budget.amounts * sites
    return [SiteAmount(verb=budget.verb, amount=amount, span=amount.span or budget.span) for amount in each], []


def _count(sites: int) -> str:
    return f"{sites} layers" if sites > 1 else "one place"
