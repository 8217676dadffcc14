"""What scores and similarities ask of a site in a tower whose patches are joined.

A token's features are those of its patches side by side; the attention that it receives, and that it pays, is the mean
over its patches. Rows of different tiles, frames or windows do not see each other: there attention is zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from eosdsl.lowering.cell_layers import CellLayer
from eosdsl.lowering.cells import WHOLE, CellStream, side_by_side
from eosdsl.lowering.halves import Kept
from eosdsl.lowering.images import Images
from eosdsl.lowering.probes import HELD, Readings, layer_of
from eosdsl.lowering.projections import before_attention, heads_of, project_normed, rotate_patches, scaling
from eosdsl.operators.base import AskedRows, AttentionProbe, AttentionRows, KeysProbe, Probe, ValuesProbe
from eosdsl.operators.tensors import take_rows


@dataclass(frozen=True)
class CellView:
    """A layer as seen from a site: what entered it, or is about to, and the keys and values that it kept."""

    cell: CellLayer
    stream: CellStream
    kept: Kept | None = None

    @property
    def hidden(self) -> Tensor:
        return self.stream.hidden

    def projected(self, which: str) -> Tensor:
        """Queries, keys (rotated) or values of all rows, [T, H, L, head width]."""
        if self.kept is not None and which != "q":
            return self.kept.keys if which == "k" else self.kept.values
        layer = self.cell.layer
        heads = project_normed(layer, before_attention(layer)(self.hidden), which)  # pyright: ignore[reportArgumentType]
        heads = heads.to(self.hidden.device)
        return heads if which == "v" else rotate_patches(layer, heads, self.stream.rope)

    @property
    def part(self) -> Tensor:
        """[T * L]: rows of one number attend to each other."""
        parts = self.stream.parts
        return (parts[self.cell.kind] if self.cell.kind in parts else parts[WHOLE]).flatten()


def read(
    probes: Iterable[Probe], views: Mapping[int, CellView], boundary: int, images: Images, leading: int
) -> Readings:
    """Answer probes for images in front of layer `boundary`. leading: rows in front of every sequence's patches."""
    attention: dict[AttentionProbe, AttentionRows | AskedRows] = {}
    keys = values = None
    for probe in probes:
        if isinstance(probe, AttentionProbe):
            attention[probe] = _Asked(views[layer_of(probe, boundary)], images, probe, leading).rows()
        elif isinstance(probe, KeysProbe):
            keys = _features(views[boundary - 1], "k", images)
        elif isinstance(probe, ValuesProbe):
            values = _features(views[boundary - 1], "v", images)
    return Readings(attention, keys, values)


def _features(view: CellView, which: str, images: Images) -> Tensor:
    """[G, N, U * head width]: the mean over heads, patches side by side."""
    return side_by_side(view.projected(which).mean(dim=1), take_rows(view.stream.cells, images.index))


class _Asked:
    """Attention of some rows of every image over its tokens.

    The rows that may be seen are those of the image, [G, S] of all rows, with `there` [G, S]; asked likewise.
    """

    def __init__(self, view: CellView, images: Images, probe: AttentionProbe, leading: int) -> None:
        self.view, self.images, self.probe, self.leading = view, images, probe, leading
        self.places = take_rows(view.stream.cells, images.index)
        self.seen, self.there = _rows_of_images(view.stream, len(images.counts))
        self.queries, self.keys = (_by_row(view.projected(which)) for which in ("q", "k"))
        rank = torch.zeros(len(self.queries) + 1, dtype=torch.int64, device=self.seen.device)
        slots = torch.arange(self.seen.shape[1], device=self.seen.device).expand_as(self.seen)
        rank = rank.scatter(0, self.seen.where(self.there, len(self.queries)).flatten(), slots.flatten())
        self.columns = rank[self.places]

    def rows(self) -> AttentionRows | AskedRows:
        if self.probe.query == "cls":
            asked, valid = _firsts(self.view.stream, self.seen, self.there)
            return AttentionRows(self._weights(asked), valid)
        count, tokens, area = self.places.shape
        row = count * heads_of(self.view.cell.layer) * self.seen.shape[1]
        if self.probe.query == "all":
            return AskedRows(
                lambda rows: self._weights(self.seen[:, rows]), self.seen.shape[1], max(HELD // row, 1), self.there
            )

        def of_tokens(rows: slice) -> Tensor:
            weights = self._weights(self.places[:, rows].flatten(1))
            return weights.unflatten(2, (-1, area)).mean(dim=3)

        return AskedRows(of_tokens, tokens, max(HELD // (row * area), 1), self.images.valid)

    def _weights(self, asked: Tensor) -> Tensor:
        """Of rows [G, R]: float32 [G, H, R, N], softmax over all that they attend to."""
        view = self.view
        queries, keys = self.queries[asked].transpose(1, 2), self.keys[self.seen].transpose(1, 2)
        factor = scaling(view.cell.layer)
        if self.probe.concatenated:
            factor /= queries.shape[1] ** 0.5
            queries, keys = (heads.transpose(1, 2).flatten(2)[:, None] for heads in (queries, keys))
        logits = (queries @ keys.transpose(2, 3)).float() * factor
        bias = view.stream.attention_mask.bias
        if bias is not None:
            logits = logits + bias.flatten()[self.seen][:, None, None, :]
        same = view.part[asked][:, :, None] == view.part[self.seen][:, None, :]
        same = (same & self.there[:, None, :])[:, None]
        weights = logits.masked_fill(~same, torch.finfo(logits.dtype).min).softmax(dim=-1) * same
        columns = self.columns.flatten(1)[:, None, None, :].expand(*weights.shape[:3], -1)
        return weights.gather(3, columns).unflatten(3, self.columns.shape[1:]).mean(dim=4)


def _by_row(heads: Tensor) -> Tensor:
    """[T, H, L, d] → [T * L, H, d]."""
    return heads.transpose(1, 2).flatten(0, 1)


def _rows_of_images(stream: CellStream, count: int) -> tuple[Tensor, Tensor]:
    """The rows of every image, [G, S] through all sequences, in their order, and which of them are there, [G, S]."""
    owner = stream.owner if stream.valid is None else stream.owner.where(stream.valid, -1)
    own = owner.flatten() == torch.arange(count, device=owner.device)[:, None]
    most = int(own.sum(dim=1).max()) if count > 1 or stream.valid is not None else own.shape[1]
    order = torch.argsort((~own).to(torch.uint8), dim=1, stable=True)[:, :most]
    return order, own.gather(1, order)


def _firsts(stream: CellStream, seen: Tensor, there: Tensor) -> tuple[Tensor, Tensor]:
    """The first row of every sequence of an image, its CLS: [G, R], and which of them count."""
    first = there & (seen % stream.hidden.shape[1] == 0)
    most = int(first.sum(dim=1).max())
    order = torch.argsort((~first).to(torch.uint8), dim=1, stable=True)[:, :most]
    return seen.gather(1, order), first.gather(1, order)
