"""How many tokens there are at every place: integers only, for the model's usual image and for any other.

Counts are per image. The tower counts patches (its CLS and registers are no candidates), the decoder visual tokens.
Where `merge_area` patches are joined into one visual token, they go or stay together, and are one token in the tower
too. Whatever rounds, rounds up, once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from eosdsl.ir.nodes import Amount
from eosdsl.ir.quantities import Call, Quantity, Word
from eosdsl.ir.schedule import BoundGroup, SiteAmount, SiteReduction
from eosdsl.models.facts import ModelFacts
from eosdsl.operators.binding import bind_call
from eosdsl.passes.curves import STEEPNESS, ceiling, point

Ends = dict[int, tuple[tuple[Fraction, Fraction], ...]]  # of statements with a range: start and end, per group


@dataclass(frozen=True)
class ImageTokens:
    """One unreduced image: `original` visual tokens in the decoder, `patches` in the tower, `grid` of visual tokens."""

    original: int
    patches: int
    merge_area: int = 1
    grid: tuple[int, int] | None = None

    @property
    def in_tower(self) -> int:
        """Tokens in the tower: its patches, or the groups of them that become one visual token each."""
        return self.patches // self.merge_area

    def visual(self, left: int) -> int:
        """Visual tokens that so many tokens of the tower become; rows that no patch stands for (newlines, a CLS)
        stay.
        """
        return self.original - self.in_tower + left


@dataclass(frozen=True)
class SiteCount:
    """Tokens of one image at one site: `incoming`, and anchors per group."""

    incoming: int
    anchors: tuple[int, ...]

    @property
    def retained(self) -> int:
        return sum(self.anchors)


@dataclass(frozen=True)
class LayerTokens:
    """Tokens of one image in one layer: entering it, and entering its MLP (fewer after a site `after attention`)."""

    entering: int
    in_mlp: int


def usual_image(facts: ModelFacts) -> ImageTokens:
    """The image that a schedule's counts are for."""
    return ImageTokens(facts.visual_tokens, facts.patches, facts.merge_area, facts.grid)


def count_tokens(
    reductions: Sequence[SiteReduction],
    original: int,
    *,
    patches: int | None = None,
    merge_area: int = 1,
    grid: tuple[int, int] | None = None,
) -> tuple[tuple[int, ...], ...]:
    """Anchors per site and group, for an image of any size; an adaptive group gets its upper bound.

    Args:
        reductions: of a schedule, in forward order.
        original: visual tokens of the image before any reduction.
        patches: patches of the image in the tower; None: as many as the visual tokens stand for.
        merge_area: patches that become one visual token.
        grid: rows and columns of the visual tokens, for picks that bring their own count; None: unknown.
    """
    image = ImageTokens(original, original * merge_area if patches is None else patches, merge_area, grid)
    return tuple(site.anchors for site in token_flow(reductions, image))


def token_flow(
    reductions: Sequence[SiteReduction], image: ImageTokens, *, least: bool = False
) -> tuple[SiteCount, ...]:
    """What arrives and what is kept at every site; where a budget adapts to the image, the most, or with `least` the
    fewest (one token) that it can keep."""
    ends: Ends = {}
    flow: list[SiteCount] = []
    tower, visual = image.in_tower, image.original
    for reduction in reductions:
        in_decoder = reduction.site.stream == "decoder"
        counted = _site(reduction, image, visual if in_decoder else tower, ends, least)
        flow.append(counted)
        if in_decoder:
            visual = counted.retained
        else:
            tower = counted.retained
            visual = image.visual(tower)
    return tuple(flow)


def layer_tokens(
    reductions: Sequence[SiteReduction], flow: Sequence[SiteCount], image: ImageTokens, stream: str, layers: int
) -> tuple[LayerTokens, ...]:
    """Tokens in every layer of the tower (patches) or of the decoder (visual tokens)."""
    before = [f.retained for r, f in zip(reductions, flow, strict=True) if r.site.stream != "decoder"]
    present = image.in_tower if stream == "encoder" else image.visual(before[-1]) if before else image.original
    kept = {
        (r.site.layer, r.site.after_attention): f.retained
        for r, f in zip(reductions, flow, strict=True)
        if r.site.stream == stream
    }
    rows = image.merge_area if stream == "encoder" else 1
    result: list[LayerTokens] = []
    for layer in range(layers):
        entering = kept.get((layer, False), present)
        present = kept.get((layer, True), entering)
        result.append(LayerTokens(entering * rows, present * rows))
    return tuple(result)


def target(amount: Amount, verb: str, *, unreduced: int, incoming: Fraction, left: Fraction) -> Fraction:
    """The exact number of tokens that an amount asks to keep of `left`; what it asks beyond what is there is not cut.

    `incoming` arrive at the site (or at the start of a range), `left` of them were not taken by earlier groups.
    """
    value = amount.value
    if isinstance(value, Word):  # all
        asked = left
    elif isinstance(value, Quantity):
        base = incoming if amount.of == "incoming" else Fraction(unreduced)
        asked = value.value * base if value.unit == "ratio" else value.value
    else:
        raise TypeError(f"{value!r} says no number of tokens")
    return asked if verb == "retain" else max(left - asked, Fraction(0))


def is_adaptive(amount: Amount) -> bool:
    """Whether the number of tokens depends on what is in the image."""
    return isinstance(amount.value, Call)


def _site(reduction: SiteReduction, image: ImageTokens, incoming: int, ends: Ends, least: bool) -> SiteCount:
    unreduced, grid = _unreduced(reduction, image)
    if reduction.groups[0].amount.index == 1:
        ends[reduction.statement] = _range_ends([g.amount for g in reduction.groups], unreduced, incoming)
    anchors: list[int] = []
    left = incoming
    for number, group in enumerate(reduction.groups):
        kept = min(_group(group, ends[reduction.statement][number], unreduced, incoming, left, grid, least), left)
        anchors.append(kept)
        left -= kept
    return SiteCount(incoming, tuple(anchors))


def _unreduced(reduction: SiteReduction, image: ImageTokens) -> tuple[int, tuple[int, int] | None]:
    """The count that percentages are of, and its grid."""
    return (image.original if reduction.site.stream == "decoder" else image.in_tower), image.grid


def _group(
    group: BoundGroup,
    ends: tuple[Fraction, Fraction],
    unreduced: int,
    incoming: int,
    left: int,
    grid: tuple[int, int] | None,
    least: bool,
) -> int:
    own = own_count(group.pick, incoming, grid) if incoming == unreduced else None
    if own is not None:
        return own
    amount = group.amount
    if is_adaptive(amount.amount):
        return min(left, 1) if least else left
    if amount.steps > 1:
        return point(*ends, amount.index, amount.steps, *curve_parameters(amount.curve))
    return ceiling(
        target(amount.amount, amount.verb, unreduced=unreduced, incoming=Fraction(incoming), left=Fraction(left))
    )


def _range_ends(amounts: Sequence[SiteAmount], unreduced: int, entry: int) -> tuple[tuple[Fraction, Fraction], ...]:
    """Where every group's range starts and ends, seen from what arrives at its first site.

    Groups without a start of their own share what arrives in the proportion of their ends: all shrink alike.
    """
    whole = Fraction(entry)
    if any(is_adaptive(a.amount) for a in amounts):
        return tuple((whole, whole) for _ in amounts)
    ends: list[Fraction] = []
    for a in amounts:
        left = whole - sum(ends)
        ends.append(min(target(a.amount, a.verb, unreduced=unreduced, incoming=whole, left=left), left))
    total = sum(ends)
    starts = [
        min(target(a.start, a.verb, unreduced=unreduced, incoming=whole, left=whole), whole)
        if a.start is not None
        else (whole * end / total if total else whole)
        for a, end in zip(amounts, ends, strict=True)
    ]
    return tuple(zip(starts, ends, strict=True))


def own_count(pick: Call, incoming: int, grid: tuple[int, int] | None) -> int | None:
    """The number of anchors that a pick brings along (`grid(2x2)`), or None where the budget decides."""
    bound, _ = bind_call("picks", pick)
    return bound.own_count(incoming, grid) if bound is not None else None


def curve_parameters(curve: Call | None) -> tuple[str, Fraction]:
    """Name and steepness of a curve; without one a range is geometric."""
    if curve is None:
        return "geometric", STEEPNESS
    given = curve.arguments[0].value if curve.arguments else None
    return curve.name, given.value if isinstance(given, Quantity) else STEEPNESS
