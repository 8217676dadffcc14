"""What changes from one program to another: steps, tokens in every layer, costs, properties. Not the text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from eosdsl.cost.plan import Plan, plan_schedule
from eosdsl.ir.nodes import Bookkeeping, DiscreteProgram, Group, RelaxedProgram
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.passes.sites import forward_order, site_name
from eosdsl.rules.support import reads_score
from eosdsl.views import written
from eosdsl.views.graph.build import where_words

Fields = Mapping[str, str]  # what a step does, by the name of the clause


@dataclass(frozen=True)
class FieldChange:
    """One clause of a step; None where it was not there, or is not any more."""

    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class StepChange:
    """What changes at one place."""

    place: str
    kind: Literal["added", "removed", "changed"]
    fields: tuple[FieldChange, ...]


@dataclass(frozen=True)
class Run:
    """Layers `first` to `last` that agree in the tokens entering, before and after."""

    first: int
    last: int
    before: int
    after: int


@dataclass(frozen=True)
class Figure:
    """One number of the two plans; `whole` is that of the unreduced model."""

    name: str
    before: float
    after: float
    whole: float
    unit: Literal["tokens", "FLOPs", "B"]


@dataclass(frozen=True)
class Property:
    """Something that holds or does not."""

    name: str
    before: bool
    after: bool


@dataclass(frozen=True)
class Difference:
    """From `before` to `after`; tokens, figures and properties are empty where no model was at hand."""

    before: str
    after: str
    model: str | None
    steps: tuple[StepChange, ...]
    tokens: tuple[Run, ...] = ()
    figures: tuple[Figure, ...] = ()
    properties: tuple[Property, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the programs do the same."""
        changed = any(f.before != f.after for f in (*self.figures, *self.properties, *self.tokens))
        return not self.steps and not changed


def program_difference(before: DiscreteProgram | RelaxedProgram, after: DiscreteProgram | RelaxedProgram) -> Difference:
    """What changes as far as it is known without a model: statement by statement."""
    old, new = _statements(before), _statements(after)
    return Difference(before.name, after.name, None, _steps(old, new, (*old, *new)))


def schedule_difference(before: Schedule, after: Schedule) -> Difference:
    """What changes on a model: site by site, with counts and costs."""
    plans = plan_schedule(before), plan_schedule(after)
    sites = sorted((r.site for r in (*before.reductions, *after.reductions)), key=forward_order)
    return Difference(
        before.name,
        after.name,
        before.model.name,
        _steps(_sites(before), _sites(after), [site_name(site) for site in sites]),
        tuple(_runs(before.main_tokens, after.main_tokens)),
        tuple(_figures(*plans)),
        tuple(_properties(*plans)),
    )


def _steps(before: Mapping[str, Fields], after: Mapping[str, Fields], places: Iterable[str]) -> tuple[StepChange, ...]:
    """Changes at every place, in the order of the places."""
    changes: list[StepChange] = []
    for place in dict.fromkeys(places):
        old, new = before.get(place), after.get(place)
        fields = tuple(_changed_fields(old or {}, new or {}))
        if fields:
            kind = "added" if old is None else "removed" if new is None else "changed"
            changes.append(StepChange(place, kind, fields))
    return tuple(changes)


def _changed_fields(before: Fields, after: Fields) -> Iterator[FieldChange]:
    for name in dict.fromkeys((*before, *after)):
        if before.get(name) != after.get(name):
            yield FieldChange(name, before.get(name), after.get(name))


def _statements(program: DiscreteProgram | RelaxedProgram) -> dict[str, Fields]:
    return {where_words(step.where): _fields(step.groups, step.bookkeeping) for step in program.steps}


def _sites(schedule: Schedule) -> dict[str, Fields]:
    return {site_name(r.site): _fields(r.groups, r.bookkeeping) for r in schedule.reductions}


def _fields(groups: tuple[Group, ...] | tuple[BoundGroup, ...], bookkeeping: Bookkeeping) -> dict[str, str]:
    """The clauses of a step. A score that no pick reads, and bookkeeping that is the default, are left out."""
    fields: dict[str, str] = {}
    for number, group in enumerate(groups, 1):
        prefix = f"group {number} " if len(groups) > 1 else ""
        fields[f"{prefix}retain"] = _budget(group)
        if group.score is not None and reads_score(group.pick):
            fields[f"{prefix}by"] = written.score(group.score)
        fields[f"{prefix}pick"] = written.value(group.pick)
        fields[f"{prefix}via"] = written.behaviour(group.behaviour)
    return fields | dict(_bookkeeping(bookkeeping))


def _budget(group: Group | BoundGroup) -> str:
    if isinstance(group, Group):
        return written.budget(group.budget)
    return f"{group.count} tokens" if group.count is not None else written.amount(group.amount.amount)


def _bookkeeping(bookkeeping: Bookkeeping) -> Iterator[tuple[str, str]]:
    if bookkeeping.positions != "keep":
        yield "positions", bookkeeping.positions
    if bookkeeping.order != "position":
        yield "order", bookkeeping.order
    bias = bookkeeping.attention_bias.strength
    if not isinstance(bias, Quantity) or bias.value != 0:
        yield "attention_bias", f"{written.value(bias)} * log_size"
    for name, option in bookkeeping.extra:
        yield name, written.value(option)


def _runs(before: tuple[int, ...], after: tuple[int, ...]) -> Iterator[Run]:
    """Layers side by side that agree in both counts."""
    first = 0
    for layer in range(1, len(before) + 1):
        if layer == len(before) or (before[layer], after[layer]) != (before[first], after[first]):
            yield Run(first, layer - 1, before[first], after[first])
            first = layer


def _figures(before: Plan, after: Plan) -> Iterator[Figure]:
    yield Figure("mean tokens", before.mean_tokens, after.mean_tokens, before.visual_tokens, "tokens")
    yield Figure("FLOPs", before.flops, after.flops, before.full_flops, "FLOPs")
    yield Figure("prefill FLOPs", before.prefill_flops, after.prefill_flops, before.full_prefill_flops, "FLOPs")
    yield Figure("KV cache", before.kv_cache_bytes, after.kv_cache_bytes, before.full_kv_cache_bytes, "B")


def _properties(before: Plan, after: Plan) -> Iterator[Property]:
    yield Property("reads the question", before.reads_text, after.reads_text)
    yield Property("counts known beforehand", before.servable, after.servable)
    yield Property("all before the decoder", before.before_decoder, after.before_decoder)
