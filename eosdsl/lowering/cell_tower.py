"""A vision tower whose patches are joined, while an operator that reduces in it is attached.

Touched on the instances: the list of the tower's layers (one call of the graph in their place), and
`get_image_features` and `get_video_features`, within which it acts. What follows the layers gets a whole grid: the
tokens that are left stand where they were, zeros stand elsewhere, and transformers' own code joins, shuffles, pools and
projects. Of what it gives, the tokens that are left are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from inspect import signature
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from eosdsl.lowering.anatomy import CellTower
from eosdsl.lowering.arrivals import Note, at_slots, stacked, with_note
from eosdsl.lowering.cell_geometry import frames_of, of_groups, of_tiles, window_side
from eosdsl.lowering.cell_packing import of_packed
from eosdsl.lowering.cell_reducer import borders
from eosdsl.lowering.cells import Called, CellStream, Geometry, entering, spread
from eosdsl.lowering.devices import on
from eosdsl.lowering.images import Images
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.steps import Recount
from eosdsl.lowering.tiles import prompt_ids, tokens_of_images

_GRID = "grid_thw"


@dataclass(frozen=True)
class LoweredCells:
    """The graph of such a tower with reducers in it; recount: what an image of any size is to have at each of them."""

    graph: fx.GraphModule
    tower: CellTower
    recount: Recount


@dataclass
class _Encoding:
    """One call of `get_image_features` on its way: what it was called with, where its images lie, the stream behind
    the tower, and its rows in a whole grid.
    """

    asked: Mapping[str, Any]
    geometry: Geometry | None = None
    left: CellStream | None = None
    whole: Tensor | None = None


_underway: ContextVar[_Encoding | None] = ContextVar("eosdsl_cells", default=None)


class Layers(list[Any]):
    """A tower's list of layers: within a call that encodes, one that stands for all of them."""

    def __init__(self, layers: Sequence[nn.Module], reduced: Callable[..., Tensor]) -> None:
        super().__init__(layers)
        self._reduced = reduced

    def __iter__(self) -> Iterator[Any]:
        return super().__iter__() if _underway.get() is None else iter([self._reduced])


def all_layers(lowered: LoweredCells) -> Callable[..., Tensor]:
    """What stands for all layers of a tower: rows in, the tokens that are left, in a whole grid, out."""
    tower = lowered.tower

    def run(hidden: Tensor, attention_mask: Any = None, **given: Any) -> Tensor:
        encoding = _underway.get()
        assert encoding is not None
        _refuse_mask(attention_mask)
        rows = hidden[None] if tower.packed else hidden
        geometry = _geometry(tower, rows, encoding.asked)
        towered = tuple(map(len, geometry.cells)) if geometry.originals else (None,) * len(geometry.cells)
        told = zip(geometry.totals, geometry.grids, towered, strict=True)
        wanted = [lowered.recount(total, (), grid, in_tower) for total, grid, in_tower in told]
        called = _called(tower, geometry, given, rows)
        _, left = lowered.graph(rows, called, entering(rows, geometry, wanted, called))
        encoding.geometry, encoding.left, encoding.whole = geometry, left, spread(left, rows)
        return encoding.whole[0] if tower.packed else encoding.whole

    return run


def selected(tower: CellTower) -> Callable[..., Any]:
    """A pre-hook that hands the projector the rows of a whole grid, where it would take what was recorded of a
    layer."""

    def take(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        encoding = _underway.get()
        if encoding is None or encoding.whole is None or args[0].shape[-1] != encoding.whole.shape[-1]:
            return None
        return (encoding.whole[:, tower.leading :], *args[1:])

    return take


def features(own: Callable[..., Any], tower: CellTower, kind: str) -> Callable[..., Any]:
    """`get_image_features` or `get_video_features` whose images have fewer rows: padded to what the model expects, each
    with its note.
    """

    @wraps(own)
    def reduced(*args: Any, **kwargs: Any) -> Any:
        if _underway.get() is not None:  # videos are encoded as images are
            return own(*args, **kwargs)
        if tower.packer is not None and kind == "video":
            refuse("E0431", "frames of a video are pooled: they are not supported while the tower is reduced")
        asked = signature(own).bind_partial(*args, **kwargs).arguments
        _refuse_other_features(tower, {**asked, **asked.get("kwargs", {})})
        encoding = _Encoding(asked)
        token = _underway.set(encoding)
        try:
            out = own(*args, **{**kwargs, "return_dict": True})
        finally:
            _underway.reset(token)
        assert encoding.left is not None and encoding.geometry is not None, "the tower's layers ran within"
        return _noted(out, encoding.left, encoding.geometry, tower)

    return reduced


def _noted(out: Any, left: CellStream, geometry: Geometry, tower: CellTower) -> Any:
    """The output with features image by image, those of the tokens that are left first."""
    counts, notes = left.images.originals, _notes(left, geometry)
    if isinstance(out.pooler_output, Tensor):
        stacked(out, rows=out.pooler_output.shape[1])
    every = _flat(out.pooler_output).split(list(counts))
    told = zip(every, notes, counts, strict=True)
    out.pooler_output = [with_note(rows[note.places.to(rows.device)], note, count) for rows, note, count in told]
    if tower.late:
        out.deepstack_features = [
            _late(merger, read, left.images, tower.merge**2)
            for merger, read in zip(tower.late, left.images.later, strict=True)
        ]
    return out


def _late(merger: nn.Module, read: Tensor, left: Images, area: int) -> list[Tensor]:
    """Features for one of the decoder's early layers, image by image, of what the tower said at one depth, [G, N, U *
    D] with U = area; they stand where the others do.
    """
    every = [own[:count] for own, count in zip(read, left.counts, strict=True)]
    joined = torch.cat(every).unflatten(1, (area, -1)).flatten(0, 1)
    rows = merger(on(joined, next(merger.parameters()).device)).split(list(left.counts))
    told = zip(rows, left.index, left.originals, strict=True)
    return [at_slots(own, index[: len(own)], original) for own, index, original in told]


def _flat(pooled: Any) -> Tensor:
    """Features of all images behind each other, [V, D]."""
    return pooled.flatten(0, 1) if isinstance(pooled, Tensor) else torch.cat(list(pooled))


def _notes(left: CellStream, geometry: Geometry) -> list[Note]:
    return [_note(left, image, one.to(left.cells.device)) for image, one in enumerate(geometry.others)]


def _note(left: CellStream, image: int, others: Tensor) -> Note:
    """What is left of an image; `others` [O]: its tokens that no patch stands for, which stay."""
    images, count = left.images, left.images.counts[image]
    index = torch.cat([images.index[image, :count], others])
    sizes = torch.cat([images.sizes[image, :count], torch.ones(len(others), device=others.device)])
    if len(others) and images.ascending:
        index, order = index.sort()
        sizes = sizes[order]
    decided = images.decided[image] if images.decided else ()
    return Note(index, index, sizes, decided, images.towered[image])


def _geometry(tower: CellTower, rows: Tensor, asked: Mapping[str, Any]) -> Geometry:
    if tower.packer is not None:
        return of_packed(rows.shape[1], tower.packer, tower.leading, asked)
    if tower.packed:
        grids = next(value for name, value in asked.items() if name.endswith(_GRID))
        return of_groups(frames_of(grids), tower.merge, window_side(tower))
    return of_tiles(rows.shape[1], _tiles(tower, len(rows)), tower.merge, tower.leading)


def _tiles(tower: CellTower, total: int) -> list[int]:
    """Tiles of every image, of so many in all. Raises SpecError (E0432) where no prompt says which are one image."""
    if tower.tiles is None:
        return [1] * total
    ids = prompt_ids()
    if ids is None:
        refuse(
            "E0432",
            f"which tiles are one image of {tower.known.family} is read from the prompt, and none was given",
            "call the model or `generate` with input_ids and pixels, not `get_image_features`",
        )
    tokens = tokens_of_images(tower.tiles, ids, tower.placeholder, total * tower.tokens)
    return [count // tower.tokens for count in tokens]


def _called(tower: CellTower, geometry: Geometry, given: Mapping[str, Any], rows: Tensor) -> Called:
    """What the first layers are called with."""
    if not tower.packed:
        return Called()
    cos, sin = cast("tuple[Tensor, Tensor]", given["position_embeddings"])
    own = ("cu_seqlens", "max_seqlen", "position_embeddings")
    parts = {kind: part.to(rows.device) for kind, part in geometry.parts.items()}
    rest = {name: value for name, value in given.items() if name not in own}
    return Called(rest, borders(parts), (cos[None], sin[None]))


def _refuse_mask(mask: Any) -> None:
    if isinstance(mask, Tensor) and bool(mask.all() if mask.dtype == torch.bool else (mask == 0).all()):
        return
    if mask is not None:
        refuse("E0431", "an attention mask in the vision tower is not supported while an operator is attached")


def _refuse_other_features(tower: CellTower, asked: Mapping[str, Any]) -> None:
    for name, own in tower.selects.items():
        if asked.get(name) not in (None, own):
            refuse("E0431", f"`{name}` other than the model's own is not supported while the tower is reduced")
