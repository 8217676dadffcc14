"""One reduction of a schedule on a stream, wherever it stands: tokens out, reduced, rows back in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor, nn

from eosdsl.ir.quantities import Quantity
from eosdsl.ir.schedule import SiteReduction
from eosdsl.lowering.attending import CAUSAL, Attending
from eosdsl.lowering.cut import Cutting, cut
from eosdsl.lowering.images import Decided, Grid, Images, Wanted
from eosdsl.lowering.probes import Readings, inputs_of, layers_of
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.stream import Stream
from eosdsl.operators.base import Probe, Reduction, Tokens
from eosdsl.operators.bound import GroupOperators, bind_groups
from eosdsl.operators.needs import probes as probes_of
from eosdsl.operators.reduce import reduce_bound
from eosdsl.operators.tensors import rows_of


class Recount(Protocol):
    """What an image of so many tokens, decided so far, of this grid and with so many tokens in the tower (None: as many
    as it has in the decoder), is to have at every reduction.
    """

    def __call__(
        self, original: int, decided: Decided, grid: Grid = "usual", in_tower: int | None = None
    ) -> Wanted: ...


@dataclass(frozen=True)
class Plan:
    """What a reducer knows ahead. `place`: of its site among the reductions of the schedule; `boundary`: the layer that
    it stands in front of; `last_layer`: of the segment it opens, below `boundary` where another reducer stands there
    too; `strength` of the bias by log size from here on; `grid` of an unreduced image, rows by columns; `recount`: what
    an image of so many tokens is to have at all reductions, after what was decided of it; `renumbers`: positions are
    compacted here or were before; `attending`: how the decoder's layers attend.
    """

    site: SiteReduction
    place: int
    boundary: int
    last_layer: int
    strength: float
    grid: tuple[int, int] | None
    recount: Recount
    renumbers: bool = False
    attending: Attending = CAUSAL

    @property
    def layer(self) -> int:
        """The layer of the site as the spec counts it."""
        return self.site.site.layer

    @cached_property
    def groups(self) -> tuple[GroupOperators, ...]:
        return bind_groups(self.site.groups)

    @cached_property
    def probes(self) -> tuple[Probe, ...]:
        return tuple(sorted(probes_of(self.site.groups), key=repr))

    @cached_property
    def layers_read(self) -> tuple[int, ...]:
        """Layers that scores and similarities look into."""
        return tuple(sorted({layer for probe in self.probes for layer in layers_of(probe, self.boundary)}))

    @cached_property
    def inputs_read(self) -> tuple[int, ...]:
        """Layers whose entering rows they need."""
        return tuple(sorted({layer for probe in self.probes for layer in inputs_of(probe, self.boundary)}))

    @cached_property
    def absorbs(self) -> bool:
        return any(group.absorbs for group in self.groups)

    @cached_property
    def reads_grid(self) -> bool:
        """Whether choosing or absorbing goes by rows and columns of the image."""
        return any(operator.reads_grid for group in self.groups for operator in group.operators())

    @property
    def reorders(self) -> bool:
        return self.site.bookkeeping.order != "position"


def does_nothing(plan: Plan, images: Images) -> bool:
    """Whether every image keeps all its tokens where they are."""
    return _counts(_wanted(plan, images), images) == images.counts and not plan.reorders


def reduce(plan: Plan, stream: Stream, readings: Readings, networks: nn.Module) -> Stream:
    """The stream with its images reduced, by what `networks` say besides; text rows keep their content."""
    images = stream.images
    assert images is not None
    wanted = _wanted(plan, images)
    reduction = reduce_bound(
        plan.groups, plan.site.bookkeeping.order, _tokens(plan, stream, readings, networks), _per_group(wanted, images)
    )
    counts = _counts(wanted, images)
    adaptive = counts is None
    if counts is None:
        counts = _counted(reduction)
    anchored = all(group.pick.anchored for group in plan.groups)
    rewrites = plan.absorbs or plan.reorders or not anchored
    left = cut(stream, reduction, Cutting(rewrites, plan.site.bookkeeping.positions, counts, anchored))
    assert left.images is not None
    kept = replace(left.images, ascending=images.ascending and anchored and not plan.reorders)
    return replace(left, images=_decided(plan, kept) if adaptive else kept)


def bias_strength(site: SiteReduction) -> float:
    """The strength of `attention_bias`, 0.0 where there is none."""
    strength = site.bookkeeping.attention_bias.strength
    return float(strength.value) if isinstance(strength, Quantity) else 0.0


def _wanted(plan: Plan, images: Images) -> list[tuple[int | None, ...]]:
    """Anchors per image and group."""
    return [of_image[plan.place] for of_image in images.wanted]


def _counts(wanted: Sequence[tuple[int | None, ...]], images: Images) -> tuple[int, ...] | None:
    """Tokens left of each image, None where images decide themselves."""
    if any(count is None for own in wanted for count in own):
        return None
    totals = (sum(count for count in own if count is not None) for own in wanted)
    return tuple(min(total, now) for total, now in zip(totals, images.counts, strict=True))


def _per_group(wanted: Sequence[tuple[int | None, ...]], images: Images) -> list[Tensor | int | None]:
    """Anchors per group: one number where all images are alike, else one per image, on the host; None: the image's."""
    if images.valid is None and len(set(wanted)) == 1:
        return list(wanted[0])
    groups = zip(*wanted, strict=True)
    return [None if None in group else torch.tensor([n for n in group if n is not None]) for group in groups]


def _counted(reduction: Reduction) -> tuple[int, ...]:
    """How many rows each image decided to keep; costs a transfer, as such decisions do."""
    images, rows = reduction.anchors.shape
    if reduction.valid is None:
        return (rows,) * images
    return tuple(int(count) for count in reduction.valid.sum(dim=1).tolist())


def _decided(plan: Plan, images: Images) -> Images:
    """Images with the counts of later reductions made anew, now that it is known what they kept here."""
    before = images.decided or ((),) * len(images.counts)
    decided = tuple((*own, (plan.place, count)) for own, count in zip(before, images.counts, strict=True))
    shaped = zip(images.originals, decided, images.shapes, images.towered, strict=True)
    wanted = tuple(plan.recount(*one) for one in shaped)
    return replace(images, decided=decided, wanted=wanted)


def _grid(plan: Plan, images: Images) -> tuple[int, int] | None:
    """The grid that all images have. Raises SpecError (E0431) where a reduction reads it and they have several."""
    shapes = set(images.shapes)
    if len(shapes) > 1 and plan.reads_grid:
        refuse(
            "E0431",
            "images of several shapes in one forward cannot be reduced by their grid",
            "give images of one shape in a call, or choose tokens without `grid` and `window`",
        )
    shape = shapes.pop() if len(shapes) == 1 else None
    if shape != "usual":
        return shape
    grid = plan.grid
    whole = grid is not None and all(original == grid[0] * grid[1] for original in images.originals)
    return grid if whole else None


def _tokens(plan: Plan, stream: Stream, readings: Readings, networks: nn.Module) -> Tokens:
    images = stream.images
    assert images is not None
    hidden = rows_of(stream.hidden, images.batch, images.rows)
    return Tokens(
        hidden=hidden,
        sizes=images.sizes,
        index=images.index,
        valid=images.valid,
        keys=readings.keys,
        values=readings.values,
        attention=readings.attention,
        text=readings.text,
        text_valid=readings.text_valid,
        grid=_grid(plan, images),
        learned=networks(hidden, images.valid),
        ascending=images.ascending,
    )
