"""What scores and similarities ask of a site: attention of a few query rows, keys, values, the question.

Recomputed from what layers hold, never recorded: sdpa and flash attention return no weights, and no model is switched
to eager for it. Layers are counted by boundaries: boundary b lies behind the attention of layer b - 1 and in front of
layer b.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from eosdsl.lowering.images import Images
from eosdsl.lowering.projections import heads_of, project, rotate, scaling, softcap
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.stream import Stream
from eosdsl.operators.base import (
    AskedRows,
    AttentionProbe,
    AttentionRows,
    KeysProbe,
    Probe,
    TextProbe,
    ValuesProbe,
)
from eosdsl.operators.tensors import rows_of
from eosdsl.source import Span

HELD = 1 << 22
"""Logits that are held at a time where every row is asked about every other."""


@dataclass(frozen=True)
class Reach:
    """How far a layer sees: `window` positions, None: all; `first`: a window cuts blocks too."""

    window: int | None = None
    first: bool = False


@dataclass(frozen=True)
class View:
    """A layer as seen from a site: the module, the rows that enter(ed) it, and the keys it holds.

    hidden [B, L, D]; held: keys and values [B, H_kv, T, head width], the L rows included where `ran`; keep [B, T] and
    bias [B, T] as in `Stream.keys_valid`, `keys_bias`, over all T keys; reach: how far its rows see.
    """

    layer: nn.Module
    hidden: Tensor
    stream: Stream
    held: tuple[Tensor, Tensor] | None
    ran: bool
    keep: Tensor | None
    bias: Tensor | None
    reach: Reach = Reach()

    @property
    def rows(self) -> int:
        return self.hidden.shape[1]

    @property
    def total(self) -> int:
        """T: the keys that it holds, its own rows included."""
        return self.rows + (0 if self.held is None else self.held[0].shape[2] - (self.rows if self.ran else 0))

    def up_to(self, keys: int) -> View:
        """The view without the slots behind the first `keys`, which a static cache has not filled."""
        own = keys if self.ran else keys - self.rows
        held = None if self.held is None or own == 0 else (self.held[0][:, :, :own], self.held[1][:, :, :own])
        keep = None if self.keep is None else self.keep[:, :keys]
        bias = None if self.bias is None else self.bias[:, :keys]
        positions = self.stream.keys_positions
        stream = self.stream if positions is None else replace(self.stream, keys_positions=positions[:, :keys])
        return replace(self, held=held, keep=keep, bias=bias, stream=stream)


@dataclass(frozen=True)
class Readings:
    """Answers to probes, per image: attention [G, H, R, N]; keys and values [G, N, F], heads side by side (decoder) or
    their mean (tower); text [G, T, F] with text_valid [G, T]."""

    attention: Mapping[AttentionProbe, AttentionRows | AskedRows]
    keys: Tensor | None = None
    values: Tensor | None = None
    text: Tensor | None = None
    text_valid: Tensor | None = None


def layers_of(probe: Probe, boundary: int) -> tuple[int, ...]:
    """The layers that a probe at a boundary looks into."""
    if isinstance(probe, KeysProbe | ValuesProbe):
        return (boundary - 1,)
    if not isinstance(probe, AttentionProbe):
        return ()
    return (layer_of(probe, boundary),)


def inputs_of(probe: Probe, boundary: int) -> tuple[int, ...]:
    """The layers whose entering rows a probe needs; raters are chosen among the embedded rows."""
    raters = isinstance(probe, AttentionProbe) and probe.query == "raters"
    return (*layers_of(probe, boundary), *((0,) if raters else ()))


def refuse_probes(probes: Iterable[Probe], boundary: int, *, tower: bool, span: Span | None = None) -> None:
    """Raise SpecError (E0437) where the stream cannot answer."""
    queries = ("cls", "visual", "all") if tower else ("last", "text", "raters", "visual", "all")
    for probe in probes:
        if isinstance(probe, AttentionProbe) and probe.query not in queries:
            refuse("E0437", f"attention(query: {probe.query}) cannot be read at this site", span=span)
        if not all(0 <= layer <= boundary for layer in layers_of(probe, boundary)):
            refuse("E0437", "a score reads a layer that has not run where it stands", span=span)


def read(
    probes: Iterable[Probe], views: Mapping[int, View], boundary: int, stream: Stream, embedded: View | None
) -> Readings:
    """Answer probes for the images of a stream at a boundary. views: by layer; embedded: layer 0, for raters."""
    images = stream.images
    assert images is not None
    attention: dict[AttentionProbe, AttentionRows | AskedRows] = {}
    keys = values = text = text_valid = None
    for probe in probes:
        if isinstance(probe, TextProbe):
            text, text_valid = _text(stream, images)
        elif isinstance(probe, AttentionProbe):
            raters = _raters(embedded, images) if probe.query == "raters" and embedded is not None else None
            attention[probe] = _attention_rows(views[layer_of(probe, boundary)], probe, images, raters)
        elif isinstance(probe, KeysProbe):
            keys = _of_images(_keys(views[boundary - 1]), views[boundary - 1], images)
        elif isinstance(probe, ValuesProbe):
            values = _of_images(_values(views[boundary - 1]), views[boundary - 1], images)
    return Readings(attention, keys, values, text, text_valid)


def layer_of(probe: AttentionProbe, boundary: int) -> int:
    """The layer whose attention a probe at a boundary asks for."""
    if probe.layer == "previous":
        return boundary - 1
    return boundary if probe.layer == "next" else probe.layer


def _keys(view: View) -> Tensor:
    """All keys of a layer after rotation, [B, H_kv, T, head width]; the rows at hand are the last of them."""
    if view.held is not None and view.ran:
        return view.held[0]
    own = rotate(view.layer, project(view.layer, view.hidden, "k"), view.stream.position_embeddings)
    return own if view.held is None else torch.cat([view.held[0], own], dim=2)


def _values(view: View) -> Tensor:
    if view.held is not None and view.ran:
        return view.held[1]
    own = project(view.layer, view.hidden, "v")
    return own if view.held is None else torch.cat([view.held[1], own], dim=2)


def _rows_at(stream: Stream, images: Images) -> Tensor:
    """Where the tokens of `images` stood in an earlier stream, [G, N]; tokens are known by their original index."""
    then = stream.images
    assert then is not None
    if then is images:
        return images.rows
    same = images.index[:, :, None] == then.index[:, None, :]
    if then.valid is not None:
        same = same & then.valid[:, None, :]
    return then.rows.gather(1, same.int().argmax(dim=2))


def _of_images(heads: Tensor, view: View, images: Images) -> Tensor:
    """[B, H, T, head width] → the tokens of each image: [G, N, H * head width], in the tower the mean [G, N, head
    width].
    """
    rows = _rows_at(view.stream, images) + (heads.shape[2] - view.rows)
    if view.stream.tower:
        return rows_of(heads.mean(dim=1), images.batch, rows)
    return heads.transpose(1, 2)[images.batch[:, None], rows].flatten(2)


def _text(stream: Stream, images: Images) -> tuple[Tensor, Tensor]:
    """The rows of the question behind each image, as they are at the site: [G, T, D], and which of them count."""
    queries = stream.queries
    assert queries is not None
    return rows_of(stream.hidden, images.batch, queries.text[images.batch]), queries.text_after


def _raters(embedded: View, images: Images) -> Tensor:
    """[G, R] bool: text rows that look at their image more than the average one (SparseVLM, arXiv 2410.04417).

    On the embedded rows: each visual row's softmax over the text rows behind it, its mean over the visual rows.
    """
    stream = embedded.stream
    then = stream.images
    assert then is not None
    text, counts = _text(stream, images)
    visual = rows_of(embedded.hidden, images.batch, then.rows)
    looks = torch.matmul(visual.float(), text.float().transpose(1, 2))
    shares = looks.masked_fill(~counts[:, None, :], torch.finfo(looks.dtype).min).softmax(dim=2)
    if then.valid is not None:
        shares = shares * then.valid[:, :, None]
    told = shares.sum(dim=1)
    average = (told * counts).sum(dim=1, keepdim=True) / counts.sum(dim=1, keepdim=True).clamp(min=1)
    return counts & (told > average)


def _attention_rows(
    view: View, probe: AttentionProbe, images: Images, raters: Tensor | None
) -> AttentionRows | AskedRows:
    columns = _rows_at(view.stream, images)
    if probe.query == "visual":  # every image asks its own tokens, and the row order is theirs
        asked, row_valid = columns, images.valid
        of, sequences = torch.arange(len(columns), device=columns.device), images.batch
    else:
        asked, row_valid = _asked_rows(view.stream, probe.query, images, view.rows)
        of, sequences = images.batch, None
    look = _looking(view, sequences, concatenated=probe.concatenated)

    def make(rows: slice) -> Tensor:
        return _columns(look(asked[:, rows]), of, columns, view)

    if probe.query in ("visual", "all"):
        return AskedRows(make, asked.shape[1], _at_once(view, len(asked)), row_valid)
    return AttentionRows(make(slice(None)), row_valid if raters is None else raters)


def _at_once(view: View, sequences: int) -> int:
    """How many rows of each of so many sequences are asked together, so that their logits stay below `HELD`."""
    return max(HELD // (sequences * heads_of(view.layer) * view.total), 1)


def _columns(weights: Tensor, sequences: Tensor, columns: Tensor, view: View) -> Tensor:
    """Weights [B, H, R, T] of the sequences [G] at the rows `columns` [G, N] of the view: [G, H, R, N]."""
    past = weights.shape[3] - view.rows
    heads = torch.arange(weights.shape[1], device=weights.device)
    rows = torch.arange(weights.shape[2], device=weights.device)
    return weights[
        sequences[:, None, None, None],
        heads[None, :, None, None],
        rows[None, None, :, None],
        (columns + past)[:, None, None, :],
    ]


def _asked_rows(stream: Stream, query: str, images: Images, length: int) -> tuple[Tensor, Tensor | None]:
    """The rows asked, [B, R], and which of them count for each image, [G, R] (None: all)."""
    queries = stream.queries
    assert queries is not None
    if query in ("last", "cls"):
        return queries.last[:, None], None
    if query in ("text", "raters"):
        return queries.text, queries.text_after
    batch = queries.last.shape[0]
    every = torch.arange(length, device=queries.last.device).expand(batch, length)
    counting = stream.valid if queries.in_prompt is None else queries.in_prompt
    if counting is not None and stream.valid is not None:
        counting = counting & stream.valid
    return every, None if counting is None else counting[images.batch]


def _looking(view: View, sequences: Tensor | None, *, concatenated: bool) -> Callable[[Tensor], Tensor]:
    """What gives post-softmax attention of rows [B, R] over all keys, float32 [B, H, R, T].

    sequences: which sequence each of the B belongs to, None: its own.
    """
    keys = _chosen(_keys(view), sequences)
    return lambda asked: _attention(view, asked, sequences, keys, concatenated=concatenated)


def _attention(view: View, asked: Tensor, sequences: Tensor | None, keys: Tensor, *, concatenated: bool) -> Tensor:
    total = keys.shape[2]
    queries = _queries(view, asked, sequences)
    factor, cap = scaling(view.layer), softcap(view.layer)
    if concatenated:
        heads = queries.shape[1]
        keys = keys.repeat_interleave(heads // keys.shape[1], dim=1)
        keys, queries = (t.transpose(1, 2).flatten(2)[:, None] for t in (keys, queries))
        factor /= heads**0.5
    logits = _dot(queries, keys) * factor
    if cap is not None:
        logits = (logits / cap).tanh() * cap
    if view.bias is not None:
        logits = logits + _chosen(view.bias, sequences)[:, None, None, :]
    keep = None if view.keep is None else _chosen(view.keep, sequences)
    seen = _seen(view, asked, keep, total)
    if seen is not None:
        logits = logits.masked_fill(~seen[:, None], torch.finfo(logits.dtype).min)
    return logits.softmax(dim=-1)


def _queries(view: View, asked: Tensor, sequences: Tensor | None) -> Tensor:
    hidden = _chosen(view.hidden, sequences)
    hidden = hidden.gather(1, asked[:, :, None].expand(-1, -1, hidden.shape[2]))
    rope = view.stream.position_embeddings
    if rope is not None:
        batch = view.hidden.shape[0]
        cos, sin = (_chosen(table.expand(batch, -1, -1), sequences) for table in rope)
        rope = (_rows_of(cos, asked), _rows_of(sin, asked))
    return rotate(view.layer, project(view.layer, hidden, "q"), rope)


def _chosen(table: Tensor, sequences: Tensor | None) -> Tensor:
    return table if sequences is None else table[sequences]


def _dot(queries: Tensor, keys: Tensor) -> Tensor:
    """[B, H, R, d] · [B, H_kv, T, d] → float32 [B, H, R, T]; heads that share keys are not given copies of them."""
    batch, kv_heads, total, width = keys.shape
    grouped = queries.reshape(batch, kv_heads, -1, width)
    return torch.matmul(grouped, keys.transpose(2, 3)).view(batch, -1, queries.shape[2], total).float()


def _seen(view: View, asked: Tensor, keep: Tensor | None, total: int) -> Tensor | None:
    """[B, R, T] bool: keys that a row attends to; None where every row attends to all (in the tower)."""
    if view.stream.tower:
        return None if keep is None else keep[:, None, :].expand(-1, asked.shape[1], -1)
    every, row = torch.arange(total, device=asked.device), asked + total - view.rows
    seen = every <= row[:, :, None]
    near = _near(view, row, every)
    together = _together(view, row)
    if near is not None and not view.reach.first:
        seen = seen & near
    seen = seen if together is None else seen | together
    if near is not None and view.reach.first:
        seen = seen & near
    return seen if keep is None else seen & keep[:, None, :]


def _near(view: View, row: Tensor, every: Tensor) -> Tensor | None:
    """[B, R, T] bool: keys within the window of the rows that are the keys `row` [B, R]; None without a window."""
    if view.reach.window is None:
        return None
    held = view.stream.keys_positions
    positions = every.expand(row.shape[0], -1) if held is None else held
    return positions[:, None, :] > positions.gather(1, row)[:, :, None] - view.reach.window


def _together(view: View, row: Tensor) -> Tensor | None:
    """[B, R, T] bool: keys of the same block as the rows that are the keys `row` [B, R]; None without blocks."""
    blocks = view.stream.blocks
    if blocks is None:
        return None
    before = view.hidden.shape[1] - blocks.shape[1]
    past = view.total - view.rows
    blocks = torch.nn.functional.pad(blocks.expand(row.shape[0], -1), (before + past, 0), value=-1)
    own = blocks.gather(1, row)[:, :, None]
    return (own == blocks[:, None, :]) & (own >= 0)


def _rows_of(table: Tensor, asked: Tensor) -> Tensor:
    return table.gather(1, asked[:, :, None].expand(-1, -1, table.shape[2]))
