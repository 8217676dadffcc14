"""Which rows of a batch are visual tokens of which image: read from the token ids once per prompt, on the host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from eosdsl.lowering.refusals import refuse

if TYPE_CHECKING:
    from eosdsl.lowering.stream import Arrival


Wanted = tuple[tuple[int | None, ...], ...]
"""Anchors of an image by reduction and group; None where the image decides."""

Grid = tuple[int, int] | Literal["usual"] | None
"""Rows and columns of an image's tokens; `usual`: those of the model's usual image, if it has as many tokens; None: it
has no grid.
"""

Decided = tuple[tuple[int, int], ...]
"""(place of a reduction, tokens it kept of an image) where the number was the image's to decide."""


@dataclass(frozen=True)
class Images:
    """The G images of a forward, padded to N tokens each; B sequences of L rows.

    batch [G] int64: the sequence an image is in; rows [G, N] int64: the row of every token; valid [G, N] bool, None
    where all are; sizes [G, N] float32: original tokens a row stands for; index [G, N] int64: its place in the
    unreduced image.
    Known to the host: `sequences`, the same as batch; `counts` and `originals`, tokens per image now and at the
    start. `ascending`: rows of an image stand in the order of `index`. `wanted[g]`: what each image is to have at the
    reductions of the schedule, counted ahead so that no graph has to; `decided[g]`: what adaptive ones decided.
    `later`: features [G, N, D] that the decoder adds to these rows behind its first layers, one for each (`late.py`).
    `grids`: of the unreduced images, empty where all are usual. `in_tower`: tokens that each had in the tower, empty
    where they are as many as in the decoder.
    """

    batch: Tensor
    rows: Tensor
    valid: Tensor | None
    sizes: Tensor
    index: Tensor
    sequences: tuple[int, ...]
    counts: tuple[int, ...]
    originals: tuple[int, ...]
    ascending: bool = True
    wanted: tuple[Wanted, ...] = ()
    decided: tuple[Decided, ...] = ()
    later: tuple[Tensor, ...] = ()
    grids: tuple[Grid, ...] = ()
    in_tower: tuple[int, ...] = ()

    @property
    def shapes(self) -> tuple[Grid, ...]:
        """The grid of every image."""
        return self.grids or ("usual",) * len(self.counts)

    @property
    def towered(self) -> tuple[int | None, ...]:
        """Tokens of every image in the tower, None: as many as in the decoder."""
        return self.in_tower or (None,) * len(self.counts)


@dataclass(frozen=True)
class Queries:
    """The rows that scores may ask: `last` [B] int64, the last row of each prompt; `text` [B, R] int64, rows that are
    not visual, with `text_after` [G, R] bool, those behind an image; `in_prompt` [B, L] bool, None where every row
    is.
    """

    last: Tensor
    text: Tensor
    text_after: Tensor
    in_prompt: Tensor | None


@dataclass(frozen=True)
class Layout:
    """A forward that brings images. `lengths`: rows of each sequence that are not padding; valid [B, L] bool or None.

    `tail`: the rows behind the last visual token, at least that many in every sequence. `arrival`: what the tower left
    of the images, where it reduces them. `order`: which of the features each image is, counted over all images and
    then all videos, as the model brings them.
    """

    images: Images
    queries: Queries
    lengths: tuple[int, ...]
    valid: Tensor | None
    tail: int
    order: tuple[int, ...] = ()
    arrival: Arrival | None = None


def read_layout(
    input_ids: Tensor,
    attention_mask: Tensor | None,
    visual_tokens: Sequence[tuple[int, Sequence[int]]],
    prompt_rows: int | None = None,
) -> Layout | None:
    """The layout of `input_ids` [B, L], None where placeholders and images do not match (the model itself says so).

    attention_mask [B, at least L] marks rows that are not padding. visual_tokens: of images, and of videos (a video is
    one image here): the id of their placeholder, and how many of them each has. Rows from `prompt_rows` on were
    generated: they are never asked. Costs one transfer to the host, and none where the ids are there already.

    Raises:
        SpecError: E0440 where prompts are padded on the right.
    """
    ids = input_ids.cpu().numpy()
    visual = np.isin(ids, [token for token, _ in visual_tokens])
    valid = np.ones_like(visual)
    if attention_mask is not None:
        valid = attention_mask[:, -visual.shape[1] :].bool().cpu().numpy()
    if not valid[:, -1].all():
        refuse("E0440", "prompts are padded on the right", "set processor.tokenizer.padding_side = 'left'")
    found = [_places(ids == token, counts) for token, counts in visual_tokens]
    every = [place for places in found for place in places or ()]
    if None in found or len(every) == 0:
        return None
    order = sorted(range(len(every)), key=lambda one: (every[one][0], int(every[one][1][0])))
    places = [every[one] for one in order]
    device = input_ids.device
    asked = valid
    if prompt_rows is not None and prompt_rows < visual.shape[1]:
        asked = valid & (np.arange(visual.shape[1]) < prompt_rows)
    return Layout(
        images=_images(places, device),
        queries=_queries(visual, asked, places, None if asked is valid else asked, device),
        lengths=tuple(int(n) for n in valid.sum(1)),
        valid=None if valid.all() else torch.from_numpy(valid).to(device),
        tail=int(min(visual.shape[1] - 1 - rows[-1] for _, rows in places)),
        order=tuple(order),
    )


def _places(visual: np.ndarray, tokens_per_image: Sequence[int]) -> list[tuple[int, np.ndarray]] | None:
    """(sequence, rows) of every image, or None where the placeholders do not add up to whole images."""
    batch, rows = np.nonzero(visual)
    if sum(tokens_per_image) != len(rows) or 0 in tokens_per_image:
        return None
    ends = np.cumsum(tokens_per_image)
    starts = ends - np.asarray(tokens_per_image)
    if (batch[starts] != batch[ends - 1]).any():
        return None
    return [(int(batch[start]), rows[start:end]) for start, end in zip(starts, ends, strict=True)]


def _images(places: list[tuple[int, np.ndarray]], device: torch.device) -> Images:
    counts = tuple(len(rows) for _, rows in places)
    most = max(counts)
    rows = np.zeros((len(places), most), dtype=np.int64)
    valid = np.zeros(rows.shape, dtype=bool)
    for image, (_, own) in enumerate(places):
        rows[image, : len(own)] = own
        valid[image, : len(own)] = True
    return Images(
        batch=torch.tensor([batch for batch, _ in places], device=device),
        rows=torch.from_numpy(rows).to(device),
        valid=None if valid.all() else torch.from_numpy(valid).to(device),
        sizes=torch.ones(rows.shape, device=device),
        index=torch.arange(most, device=device).expand(len(places), most),
        sequences=tuple(batch for batch, _ in places),
        counts=counts,
        originals=counts,
    )


def _queries(
    visual: np.ndarray,
    asked: np.ndarray,
    places: list[tuple[int, np.ndarray]],
    in_prompt: np.ndarray | None,
    device: torch.device,
) -> Queries:
    length = visual.shape[1]
    last = length - 1 - asked[:, ::-1].argmax(1)
    is_text = asked & ~visual
    most = int(is_text.sum(1).max())
    text = np.zeros((len(visual), most), dtype=np.int64)
    present = np.zeros(text.shape, dtype=bool)
    for batch, own in enumerate(is_text):
        rows = np.nonzero(own)[0]
        text[batch, : len(rows)] = rows
        present[batch, : len(rows)] = True
    after = np.stack([present[batch] & (text[batch] > rows[-1]) for batch, rows in places])
    return Queries(
        last=torch.from_numpy(last.astype(np.int64)).to(device),
        text=torch.from_numpy(text).to(device),
        text_after=torch.from_numpy(after).to(device),
        in_prompt=None if in_prompt is None else torch.from_numpy(in_prompt).to(device),
    )
