"""What a statement does on the chosen model: in words, in tokens, and in what it saves."""

from __future__ import annotations

from dataclasses import dataclass

from eosdsl.ir.nodes import DiscreteProgram, Step
from eosdsl.ir.schedule import Schedule, SiteReduction
from eosdsl.lsp.document import Document, schedule_of
from eosdsl.passes.sites import sites_name
from eosdsl.syntax import tree
from eosdsl.views.prose import describe_step

_SHOWN = 6  # counts of a long range are cut in the middle beyond this many


@dataclass(frozen=True)
class PlacedStep:
    """A statement of the text with its step, and what happens at its sites (none without a model that it fits)."""

    statement: tree.At
    number: int
    step: Step
    reductions: tuple[SiteReduction, ...]


def placed_steps(document: Document) -> tuple[PlacedStep, ...]:
    """The statements of this text that reduce; none where it has errors. Those of used files are left out."""
    program, schedule = document.program, document.schedule
    if program is None:
        return ()
    own = {step.span.start: i for i, step in enumerate(program.steps) if step.span and not step.span.file}
    at_sites: dict[int, list[SiteReduction]] = {}
    for reduction in schedule.reductions if schedule is not None else ():
        at_sites.setdefault(reduction.statement, []).append(reduction)
    return tuple(
        PlacedStep(statement, own[start], program.steps[own[start]], tuple(at_sites.get(own[start], ())))
        for statement in document.statements
        if isinstance(statement, tree.At) and (start := statement.span.start) in own
    )


def flow(reductions: tuple[SiteReduction, ...]) -> str:
    """`576 → 288 → 144`: tokens that arrive, and those that are left after each site."""
    shown = [str(reductions[0].incoming), *map(_left, reductions)]
    if len(shown) > _SHOWN:
        shown = [*shown[:2], "…", *shown[-2:]]
    return " → ".join(shown)


def _left(reduction: SiteReduction) -> str:
    adaptive = any(group.count is None for group in reduction.groups)
    return f"≤ {reduction.retained}" if adaptive else str(reduction.retained)


def effect(document: Document, placed: PlacedStep) -> str:
    """The step in words, its tokens and its cost on the chosen model, as Markdown."""
    parts = [describe_step(placed.step)]
    schedule = document.schedule
    if schedule is not None and placed.reductions:
        sites = sites_name([reduction.site for reduction in placed.reductions])
        parts.append(f"**{schedule.model.name}**, {sites}: {flow(placed.reductions)} tokens")
        parts.append(_cost(document, placed, schedule))
    elif document.facts is None:
        parts.append("No model is chosen: tokens and cost are not known.")
    return "\n\n".join(part for part in parts if part)


def _cost(document: Document, placed: PlacedStep, schedule: Schedule) -> str:
    """Prefill with this statement against prefill without it."""
    from eosdsl.cost.plan import plan_schedule

    program = document.program
    if not isinstance(program, DiscreteProgram):
        return ""
    others = program.steps[: placed.number] + program.steps[placed.number + 1 :]
    without = schedule_of(program.model_copy(update={"steps": others}), schedule.model)
    if without is None:
        return ""
    text_tokens = document.settings.text_tokens
    now, before = (plan_schedule(one, text_tokens=text_tokens) for one in (schedule, without))
    work = now.macs.reducers - before.macs.reducers
    return (
        f"Prefill {amount(now.flops, 'FLOPs')} with it, {amount(before.flops, 'FLOPs')} without it "
        f"({change(before.flops, now.flops)}); KV cache {amount(now.kv_cache_bytes, 'B')}, "
        f"{amount(before.kv_cache_bytes, 'B')} without it ({change(before.kv_cache_bytes, now.kv_cache_bytes)}). "
        f"Its own work: {amount(max(2 * work, 0), 'FLOPs')}."
    )


def amount(value: int, unit: str) -> str:
    """`8.06 TFLOPs`, `151 MB`: three digits and a prefix."""
    scaled, prefix = float(value), ""
    for prefix in ("", "k", "M", "G", "T", "P"):
        if scaled < 1000 or prefix == "P":
            break
        scaled /= 1000
    return f"{scaled:.3g} {prefix}{unit}"


def change(before: int, after: int) -> str:
    """`−48%`."""
    if not before:
        return "±0%"
    percent = 100 * (after - before) / before
    sign = "−" if percent < 0 else "+" if percent > 0 else "±"
    return f"{sign}{abs(percent):.3g}%"
