"""What scores and similarities ask of the decoder: attention of a few query rows, keys, values. Recomputed, never
recorded:
sdpa and flash attention return no weights, and no model is switched to eager for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from eosdsl.lowering.images import Images
from eosdsl.lowering.projections import project, rotate, scaling
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.stream import Stream
from eosdsl.operators.base import AttentionProbe, AttentionRows, KeysProbe, Probe, ValuesProbe
from eosdsl.source import Span

QUERIES = ("last", "text", "all")


@dataclass(frozen=True)
class View:
    """A decoder layer as seen from a site: the module, the rows that enter(ed) it, and the keys it holds.

    hidden [B, L, D]; held: keys and values [B, H_kv, T, head width] in the cache, the L rows included where `ran`;
    keep [B, T] and bias [B, T] as in `Stream.keys_valid`, `keys_bias`, over all T keys.
    """

    layer: nn.Module
    hidden: Tensor
    stream: Stream
    held: tuple[Tensor, Tensor] | None
    ran: bool
    keep: Tensor | None
    bias: Tensor | None

    @property
    def rows(self) -> int:
        return self.hidden.shape[1]


@dataclass(frozen=True)
class Readings:
    """Answers to probes, per image: attention [G, H, R, N], keys and values [G, N, F] with heads side by side."""

    attention: Mapping[AttentionProbe, AttentionRows]
    keys: Tensor | None = None
    values: Tensor | None = None


def layer_of(probe: Probe, site: int) -> int:
    """The decoder layer that a probe at a site means."""
    if not isinstance(probe, AttentionProbe) or probe.layer == "previous":
        return site - 1
    return site if probe.layer == "next" else probe.layer


def refuse_probes(probes: Iterable[Probe], site: int, span: Span | None = None) -> None:
    """Raise SpecError (E0437) where the decoder cannot answer."""
    for probe in probes:
        if isinstance(probe, AttentionProbe) and probe.query not in QUERIES:
            refuse("E0437", f"attention(query: {probe.query}) cannot be read at decoder layer {site}", span=span)
        if not 0 <= layer_of(probe, site) <= site:
            where = "before" if layer_of(probe, site) < 0 else "after"
            refuse("E0437", f"at decoder layer {site} a score reads a layer {where} those that there are", span=span)


def read(probes: Iterable[Probe], views: Mapping[int, View], site: int, images: Images) -> Readings:
    """Answer probes at decoder layer `site` for the images there; `views` has a layer's view by its index."""
    attention: dict[AttentionProbe, AttentionRows] = {}
    keys = values = None
    for probe in probes:
        view = views[layer_of(probe, site)]
        columns = _rows_at(view.stream, images)
        if isinstance(probe, AttentionProbe):
            attention[probe] = _attention_rows(view, probe, images, columns)
        elif isinstance(probe, KeysProbe):
            keys = _of_images(_keys(view), view, images, columns)
        else:
            assert isinstance(probe, ValuesProbe)
            values = _of_images(_values(view), view, images, columns)
    return Readings(attention, keys, values)


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


def _of_images(heads: Tensor, view: View, images: Images, columns: Tensor) -> Tensor:
    """[B, H, T, head width] → the tokens of each image, heads side by side: [G, N, H * head width]."""
    past = heads.shape[2] - view.rows
    rows = heads.transpose(1, 2)[images.batch[:, None], columns + past]
    return rows.flatten(2)


def _attention_rows(view: View, probe: AttentionProbe, images: Images, columns: Tensor) -> AttentionRows:
    asked, row_valid = _asked_rows(view.stream, probe.query, images, view.rows)
    weights = _attention(view, asked)
    past = weights.shape[3] - view.rows
    heads = torch.arange(weights.shape[1], device=weights.device)
    rows = torch.arange(weights.shape[2], device=weights.device)
    own = weights[
        images.batch[:, None, None, None],
        heads[None, :, None, None],
        rows[None, None, :, None],
        (columns + past)[:, None, None, :],
    ]
    return AttentionRows(own, row_valid)


def _asked_rows(stream: Stream, query: str, images: Images, length: int) -> tuple[Tensor, Tensor | None]:
    """The rows asked, [B, R], and which of them count for each image, [G, R] (None: all)."""
    queries = stream.queries
    assert queries is not None
    if query == "last":
        return queries.last[:, None], None
    if query == "text":
        return queries.text, queries.text_after
    batch = queries.last.shape[0]
    every = torch.arange(length, device=queries.last.device).expand(batch, length)
    counting = stream.valid if queries.in_prompt is None else queries.in_prompt
    if counting is not None and stream.valid is not None:
        counting = counting & stream.valid
    return every, None if counting is None else counting[images.batch]


def _attention(view: View, asked: Tensor) -> Tensor:
    """Post-softmax attention of the rows `asked` [B, R] over all keys, float32 [B, H, R, T]."""
    keys = _keys(view)
    batch, kv_heads, total, width = keys.shape
    rows = asked.shape[1]
    hidden = view.hidden.gather(1, asked[:, :, None].expand(-1, -1, view.hidden.shape[2]))
    rope = tuple(_rope_rows(table, asked) for table in view.stream.position_embeddings)
    queries = rotate(view.layer, project(view.layer, hidden, "q"), (rope[0], rope[1]))
    grouped = queries.reshape(batch, kv_heads, -1, width)
    logits = torch.matmul(grouped, keys.transpose(2, 3)).view(batch, -1, rows, total).float() * scaling(view.layer)
    if view.bias is not None:
        logits = logits + view.bias[:, None, None, :]
    seen = torch.arange(total, device=asked.device) <= (asked + total - view.rows)[:, :, None]
    if view.keep is not None:
        seen = seen & view.keep[:, None, :]
    return logits.masked_fill(~seen[:, None], torch.finfo(logits.dtype).min).softmax(dim=-1)


def _rope_rows(table: Tensor, asked: Tensor) -> Tensor:
    expanded = table.expand(asked.shape[0], -1, -1)
    return expanded.gather(1, asked[:, :, None].expand(-1, -1, table.shape[2]))
