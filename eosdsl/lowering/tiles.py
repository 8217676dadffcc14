"""Images that come as several tiles: which tiles are one image, read from the token ids around them."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import numpy as np

from eosdsl.models.profile import Joins

_BEFORE = 8
_prompt: ContextVar[Any] = ContextVar("eosdsl_prompt_ids", default=None)


@dataclass(frozen=True)
class Tiles:
    """Where placeholders stand tile by tile: `tokens` of every tile, and which tiles that follow each other are of one
    image.
    """

    tokens: int
    joins: Joins


def tokens_of_images(tiles: Tiles, ids: np.ndarray, placeholder: int, total: int) -> list[int]:
    """Visual tokens of every image of a batch ids [B, L], in order; `total`: rows of features that it brings.

    What does not add up to whole tiles is left as one image, for the model to refuse.
    """
    batch, rows = np.nonzero(ids == placeholder)
    if total != len(rows) or total % tiles.tokens:
        return [total]
    firsts, lasts = rows[:: tiles.tokens], rows[tiles.tokens - 1 :: tiles.tokens]
    sequences = batch[:: tiles.tokens]
    counts: list[int] = []
    for tile, (sequence, first) in enumerate(zip(sequences, firsts, strict=True)):
        near = tile > 0 and sequence == sequences[tile - 1]
        if near and _same(tiles, ids[sequence], firsts[tile - 1], lasts[tile - 1], first):
            counts[-1] += tiles.tokens
            continue
        counts.append(tiles.tokens)
    return counts


def _same(tiles: Tiles, ids: np.ndarray, first: int, last: int, following: int) -> bool:
    """Whether a tile on the rows `first` to `last` and one that begins at `following` are of one image."""
    before, between = ids[max(0, first - _BEFORE) : first], ids[last + 1 : following]
    return tiles.joins(before.tolist(), between.tolist())


@contextmanager
def prompt(ids: Any) -> Generator[None]:
    """While the block runs, images that are encoded are those of prompts with these token ids [B, L], None: unknown."""
    token = _prompt.set(ids)
    try:
        yield
    finally:
        _prompt.reset(token)


def prompt_ids() -> np.ndarray | None:
    """The token ids of the prompts whose images are being encoded, [B, L], None: unknown."""
    ids = _prompt.get()
    return None if ids is None else ids.cpu().numpy()
