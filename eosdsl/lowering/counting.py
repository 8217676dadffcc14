"""How many tokens an image is to keep at each reduction: counted on the host, for an image of any size.

Counted again once it is known what an adaptive reduction kept of the image.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

from eosdsl.ir.nodes import Amount
from eosdsl.ir.quantities import Call, Quantity
from eosdsl.ir.schedule import BoundGroup, Schedule, SiteAmount, SiteReduction
from eosdsl.lowering.images import Decided, Grid, Wanted
from eosdsl.lowering.steps import Recount
from eosdsl.passes.infer_tokens import ImageTokens, is_adaptive, token_flow


def counting(schedule: Schedule) -> Recount:
    """The counts of a schedule."""
    known = schedule.model

    @lru_cache(maxsize=256)
    def recount(original: int, decided: Decided, grid: Grid = "usual", in_tower: int | None = None) -> Wanted:
        usual = original == known.visual_tokens
        if grid == "usual":
            grid = known.grid if usual else None
        patches = known.patches if usual else original * known.merge_area
        patches = patches if in_tower is None else in_tower * known.merge_area
        image = ImageTokens(original, patches, known.merge_area, grid)
        reductions = tuple(_with_decision(one, dict(decided).get(i)) for i, one in enumerate(schedule.reductions))
        most, least = token_flow(reductions, image), token_flow(reductions, image, least=True)
        return tuple(
            tuple(
                # behind an adaptive group of its site, a group may ask for most when that one takes least
                None if is_adaptive(group.amount.amount) else max(high, low)
                for group, high, low in zip(one.groups, up.anchors, down.anchors, strict=True)
            )
            for one, up, down in zip(reductions, most, least, strict=True)
        )

    return recount


def _with_decision(reduction: SiteReduction, kept: int | None) -> SiteReduction:
    """The reduction, or, where it has been decided, one that retains just so many tokens."""
    if kept is None:
        return reduction
    tokens = Quantity(value=Fraction(kept), unit="tokens")
    group = BoundGroup(
        amount=SiteAmount(verb="retain", amount=Amount(value=tokens)),
        score=Call(name="norm"),
        pick=Call(name="top"),
        behaviour=Call(name="prune"),
        count=kept,
    )
    return reduction.model_copy(update={"groups": (group,)})
