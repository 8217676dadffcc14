"""Features that a tower has reduced, on their way into the language model.

Each image brings K rows of features among as many rows as it has placeholders, so that transformers' own check and
scatter fit; they stand at the placeholders of the tokens that they are, for text may stand between those of an image. A
note beside each says which place of the image a row stands for. Notes ride on the tensors themselves:
`generate` encodes images once, repeats the list of features for beams and samples, and keeps nothing else of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from eosdsl.lowering.cut import Cutting, cut
from eosdsl.lowering.images import Decided
from eosdsl.lowering.places import expanded
from eosdsl.lowering.steps import Plan
from eosdsl.lowering.stream import Arrival, Stream
from eosdsl.operators.base import Reduction
from eosdsl.operators.tensors import rows_of

_NOTE = "eosdsl_note"
_STACKED = "eosdsl_stacked"
"""What an encoder's output is marked with whose features came as one tensor: the rows of each entry."""


@dataclass(frozen=True)
class Note:
    """What an image's rows are: places, index and sizes [K], what was decided of it, and how many tokens it had in the
    tower (None: as many as in the decoder), as in `Arrival`.
    """

    places: Tensor
    index: Tensor
    sizes: Tensor
    decided: Decided = ()
    in_tower: int | None = None


def with_note(features: Tensor, note: Note, rows: int) -> Tensor:
    """The features that a note is about, the first of [at least K, D], among `rows`; with the note."""
    among = at_slots(features[: note.index.shape[0]], note.index, rows)
    setattr(among, _NOTE, note)
    return among


def at_slots(features: Tensor, index: Tensor, rows: int) -> Tensor:
    """Features [K, D] of the tokens `index` [K] among `rows`, zeros elsewhere: at the placeholders of these tokens,
    which they fill from left to right.
    """
    return features.new_zeros(rows, features.shape[1]).index_put((index.sort().values.to(features.device),), features)


def note_of(features: Any) -> Note | None:
    """The note on an image's features, None where they were made without an operator."""
    return getattr(features, _NOTE, None)


def as_the_model_takes_them(outputs: Any) -> Any:
    """Features by image as one tensor where the model's own came as one. What is given is left as it is: `generate`
    gives it again.
    """
    taken = {}
    for kind, output in outputs.items():
        taken[kind] = output
        rows = getattr(output, _STACKED, 0)
        if rows:
            taken[kind] = copy(output)
            taken[kind].pooler_output = torch.cat(list(output.pooler_output)).unflatten(0, (-1, rows))
    return taken


def stacked(output: Any, rows: int) -> None:
    """Note on an encoder's output that its features came as one tensor, [entries, rows, D]."""
    object.__setattr__(output, _STACKED, rows)


def arrival_of(notes: Sequence[Note]) -> Arrival:
    """The notes of G images side by side, padded to the longest."""
    counts = tuple(note.places.shape[0] for note in notes)
    most = max(counts)
    valid = None
    if min(counts) < most:
        held = torch.tensor(counts, device=notes[0].places.device)
        valid = torch.arange(most, device=held.device) < held[:, None]
    return Arrival(
        places=_stacked([note.places for note in notes], most),
        index=_stacked([note.index for note in notes], most),
        sizes=_stacked([note.sizes for note in notes], most),
        valid=valid,
        counts=counts,
        decided=tuple(note.decided for note in notes),
        in_tower=tuple(note.in_tower for note in notes if note.in_tower is not None),
    )


def arrive(plan: Plan, stream: Stream, arrival: Arrival) -> Stream:
    """The stream with only the rows that the tower left of each image, at the positions of their places."""
    images = stream.images
    assert images is not None
    own = images.batch[:, None]
    positions = expanded(stream.positions, stream.hidden.shape[0])
    rows = images.rows.gather(1, arrival.places)
    slots = _slots(arrival)
    anchors = slots if arrival.valid is None else slots.where(arrival.valid, -1)
    target = images.rows.gather(1, slots)
    reduction = Reduction(rows_of(stream.hidden, images.batch, target), anchors, arrival.sizes, arrival.valid)
    # rows change position before the cut: each placeholder that stays takes that of the place it stands for
    spare = torch.cat([positions, positions[:, :1]], dim=1)
    target = target if arrival.valid is None else target.where(arrival.valid, positions.shape[1])
    moved = spare.index_put((own, target), positions[own, rows])[:, :-1]
    left = cut(replace(stream, positions=moved), reduction, Cutting(False, "keep", arrival.counts))
    assert left.images is not None
    return replace(left, images=replace(left.images, index=arrival.index), arrival=None)


def _slots(arrival: Arrival) -> Tensor:
    """[G, K]: which placeholder of its image each row stands at."""
    if arrival.valid is None:
        return arrival.index.sort(dim=1).values
    ordered = arrival.index.where(arrival.valid, torch.iinfo(torch.int64).max).sort(dim=1).values
    return ordered.where(arrival.valid, 0)


def _stacked(rows: Sequence[Tensor], most: int) -> Tensor:
    return torch.stack([torch.nn.functional.pad(row, (0, most - row.shape[0])) for row in rows])
