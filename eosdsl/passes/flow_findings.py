"""Budgets that keep everything (W0341) or ask for more than is left (W0342); picks without their grid (E0328), or with
a budget beside the one that they bring (I0343)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from eosdsl.diagnostics import Diagnostic, error, info, warning
from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import BoundGroup, SiteReduction
from eosdsl.passes.curves import ceiling
from eosdsl.passes.infer_tokens import ImageTokens, SiteCount, own_count, target
from eosdsl.passes.sites import site_name, sites_name
from eosdsl.source import Span


@dataclass(frozen=True)
class _Idle:
    """A site that keeps all that arrives; `asked` is what its budget names; `reduced`: earlier sites gave tokens up."""

    reduction: SiteReduction
    asked: int
    reduced: bool
    span: Span | None


def flow_findings(
    reductions: Sequence[SiteReduction], flow: Sequence[SiteCount], image: ImageTokens
) -> Iterator[Diagnostic]:
    """One finding for each statement (each amount of a list) that does nothing for the usual image."""
    for reduction, count in zip(reductions, flow, strict=True):
        yield from _own_counts(reduction, count, image)
    busy = {r.statement for r, c in zip(reductions, flow, strict=True) if c.retained < c.incoming}
    idle: dict[tuple[int, Span | None], list[_Idle]] = {}
    for reduction, count in zip(reductions, flow, strict=True):
        one = _idle(reduction, count, image)
        if one is None or (reduction.statement in busy and reduction.groups[0].amount.steps > 1):
            continue
        idle.setdefault((reduction.statement, one.span), []).append(one)
    yield from (_finding(sites) for sites in idle.values())


def _idle(reduction: SiteReduction, count: SiteCount, image: ImageTokens) -> _Idle | None:
    if count.retained < count.incoming or any(group.count is None for group in reduction.groups):
        return None
    unreduced = image.original if reduction.site.stream == "decoder" else image.in_tower
    asked = sum(_asked(group, unreduced, count.incoming) for group in reduction.groups)
    amount = reduction.groups[0].amount
    return _Idle(reduction, asked, count.incoming < unreduced, amount.span or reduction.span)


def _asked(group: BoundGroup, unreduced: int, incoming: int) -> int:
    if not isinstance(group.amount.amount.value, Quantity):
        return incoming
    whole = Fraction(incoming)
    return ceiling(target(group.amount.amount, group.amount.verb, unreduced=unreduced, incoming=whole, left=whole))


def _finding(sites: list[_Idle]) -> Diagnostic:
    first = sites[0]
    arriving, where = first.reduction.incoming, sites_name([one.reduction.site for one in sites])
    percent = first.reduction.groups[0].amount.amount
    helps: tuple[str, ...] = ()
    is_share = isinstance(percent.value, Quantity) and percent.value.unit == "ratio"
    if is_share and percent.of == "original" and first.reduced:
        helps = ("percentages are of what the image started with; `of incoming` counts what arrives",)
    if first.asked > arriving:
        message = f"the budget grows at {where}: {first.asked} tokens are asked for where {arriving} arrive"
        return warning("W0342", message, first.span, "everything is kept", helps=helps)
    message = f"nothing is reduced at {where}: all {arriving} tokens that arrive are kept"
    return warning("W0341", message, first.span, "everything is kept", helps=helps)


def _own_counts(reduction: SiteReduction, count: SiteCount, image: ImageTokens) -> Iterator[Diagnostic]:
    """A pick that brings its own count needs the whole grid."""
    unreduced = image.original if reduction.site.stream == "decoder" else image.in_tower
    for group in reduction.groups:
        grid = image.grid or (1, unreduced)
        own = own_count(group.pick, unreduced, grid)
        if own is None:
            continue
        if image.grid is None or count.incoming < unreduced:
            reason = "the tokens of an image form no grid here" if image.grid is None else "tokens have been given up"
            message = f"`{group.pick.name}` needs the whole grid at {site_name(reduction.site)}"
            yield error("E0328", message, group.pick.span, reason)
        elif _written(group) and _asked(group, unreduced, count.incoming) != own:
            message = f"`{group.pick.name}` counts for itself at {site_name(reduction.site)}: {own} tokens, one a cell"
            helps = ("leave `retain` out, or choose by another pick",)
            yield info("I0343", message, group.amount.amount.span, "this budget is not looked at", helps=helps)


def _written(group: BoundGroup) -> bool:
    """Whether the budget stands in the text; one that a pick brings along has the place of the whole group."""
    amount, pick = group.amount.amount.span, group.pick.span
    return amount is not None and pick is not None and not amount.start <= pick.start < amount.end
