"""How many anchors each group of a lone step takes, by the rules of the plan."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from eosdsl.ir.nodes import Amount, Bookkeeping
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.ir.schedule import BoundGroup, Site, SiteAmount, SiteReduction

if TYPE_CHECKING:
    from torch import Tensor

    from eosdsl.operators.base import Tokens

_SITE = Site(stream="decoder", layer=1)


def anchor_counts(groups: Sequence[BoundGroup], tokens: Tokens, original: int | None) -> list[Tensor | int | None]:
    """Per group one number where all samples hold as many tokens, else a number each [B]; None where it adapts.

    `original` is what percentages are of; N if None.
    """
    import torch

    if tokens.valid is None:
        length = tokens.hidden.shape[1]
        return list(group_counts(groups, length, original or length, tokens.grid))
    lengths: list[int] = tokens.valid.sum(dim=1).tolist()
    rows = [group_counts(groups, one, original or one, tokens.grid) for one in lengths]
    return [None if column[0] is None else torch.tensor(column) for column in zip(*rows, strict=True)]


def group_counts(
    groups: Sequence[BoundGroup], incoming: int, original: int, grid: tuple[int, int] | None
) -> tuple[int | None, ...]:
    """Anchors per group of a lone step where `incoming` of `original` tokens arrive; None where the budget adapts.

    What an adaptive group takes is not known here: the others are counted as if it took nothing, and cut later.
    """
    from eosdsl.passes.infer_tokens import count_tokens

    arrive = BoundGroup(
        amount=SiteAmount(verb="retain", amount=Amount(value=Quantity(value=Fraction(incoming), unit="tokens"))),
        score=Call(name="norm"),
        pick=Call(name="top"),
        behaviour=Call(name="prune"),
        count=incoming,
    )
    fixed = tuple(group for group in groups if not _adapts(group))
    if not fixed:
        return (None,) * len(groups)
    counts = iter(count_tokens([_site((arrive,), incoming), _site(fixed, incoming)], original, grid=grid)[-1])
    return tuple(None if _adapts(group) else next(counts) for group in groups)


def _adapts(group: BoundGroup) -> bool:
    return isinstance(group.amount.amount.value, Call)


def _site(groups: tuple[BoundGroup, ...], incoming: int) -> SiteReduction:
    return SiteReduction(
        site=_SITE, statement=0, groups=groups, bookkeeping=Bookkeeping(), incoming=incoming, retained=incoming
    )
