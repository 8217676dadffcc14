"""Writing down what reducers do while a model runs: which tokens survive each step, and what they stand for."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from eosdsl.ir.schedule import Site
from eosdsl.lowering.cell_reducer import CellReducer
from eosdsl.lowering.cells import CellStream
from eosdsl.lowering.discrete import Reducer, TowerReducer
from eosdsl.lowering.stream import Stream

if TYPE_CHECKING:
    from eosdsl.lowering.compile import Compiled


@dataclass(frozen=True)
class ImageRecord:
    """One image behind a step: `kept`, places of its tokens in the unreduced image of `original` tokens, in the
    sequence's order; `sizes`: how many original tokens each stands for."""

    original: int
    kept: tuple[int, ...]
    sizes: tuple[float, ...]


@dataclass(frozen=True)
class StepRecord:
    """What one reducer left of the images of a forward, in the order of their batch and sequence."""

    site: Site
    images: tuple[ImageRecord, ...]


@contextmanager
def record(compiled: Compiled) -> Generator[list[StepRecord]]:
    """While the block runs, every forward that brings images adds a StepRecord per reducer, in the order they run.

    Reading them costs a transfer from the device each: not for timing.
    """
    records: list[StepRecord] = []

    def note(reducer: Any, _: Any, stream: Stream | CellStream) -> None:
        if stream.images is not None:
            records.append(StepRecord(reducer.plan.site.site, _images(stream)))

    handles = [reducer.register_forward_hook(note) for reducer in _reducers(compiled)]
    try:
        yield records
    finally:
        for handle in handles:
            handle.remove()


def _reducers(compiled: Compiled) -> list[Reducer | TowerReducer | CellReducer]:
    graphs = [compiled.graph, *([] if compiled.tower_graph is None else [compiled.tower_graph])]
    modules = (module for graph in graphs for module in graph.modules())
    return [module for module in modules if isinstance(module, Reducer | TowerReducer | CellReducer)]


def _images(stream: Stream | CellStream) -> tuple[ImageRecord, ...]:
    images = stream.images
    assert images is not None
    index, sizes = images.index.tolist(), images.sizes.tolist()
    valid = [[True] * len(row) for row in index] if images.valid is None else images.valid.tolist()
    return tuple(
        ImageRecord(
            original,
            tuple(place for place, there in zip(index[image], valid[image], strict=True) if there),
            tuple(size for size, there in zip(sizes[image], valid[image], strict=True) if there),
        )
        for image, original in enumerate(images.originals)
    )
