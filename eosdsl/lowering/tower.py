"""The vision tower while an operator that reduces in it is attached.

Three places are touched, on the instances: the forward of the tower's stack of layers (the graph instead of the
loop), a pre-hook of the projector (the reduced features instead of the selected ones), and `get_image_features`,
within which both act and whose result gets padded and noted. The rest of the tower, and selection and packing, stay
transformers' own.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, fx
from transformers.modeling_outputs import BaseModelOutput

from eosdsl.lowering.anatomy import Tower
from eosdsl.lowering.arrivals import Note, stacked, with_note
from eosdsl.lowering.images import Images, Queries, Wanted
from eosdsl.lowering.refusals import refuse
from eosdsl.lowering.stream import Stream


@dataclass
class _Encoding:
    """One call of `get_image_features` on its way through the tower: the stream at the features, once there is one."""

    stream: Stream | None = None


_underway: ContextVar[_Encoding | None] = ContextVar("eosdsl_encoding", default=None)


def encoder_forward(
    graph: fx.GraphModule, tower: Tower, wanted: Wanted, forward: Callable[..., Any]
) -> Callable[..., Any]:
    """The forward of the tower's stack of layers. Outside `get_image_features` it is the tower's own."""

    @wraps(forward)
    def reduced(inputs_embeds: Tensor, attention_mask: Any = None, **kwargs: Any) -> Any:
        encoding = _underway.get()
        if encoding is None:
            return forward(inputs_embeds, attention_mask=attention_mask, **kwargs)
        if attention_mask is not None:
            refuse("E0431", "an attention mask in the vision tower is not supported while an operator is attached")
        stream = entering_tower(inputs_embeds, tower, wanted)
        last, encoding.stream = graph(inputs_embeds, attention_mask, stream)
        return BaseModelOutput(last_hidden_state=last)

    return reduced


def projector_hook(tower: Tower) -> Callable[..., Any]:
    """A pre-hook that hands the projector the rows that the tower's reducers left, in place of the selected ones."""

    def take_reduced(_: Any, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        encoding = _underway.get()
        if encoding is None or encoding.stream is None:
            return None
        return (selected(encoding.stream, tower), *args[1:])

    return take_reduced


def image_features(features: Callable[..., Any], tower: Tower) -> Callable[..., Any]:
    """`get_image_features` whose images have fewer rows: padded to what the model expects, each with its note."""

    @wraps(features)
    def reduced(*args: Any, **kwargs: Any) -> Any:
        _refuse_other_features(tower, kwargs)
        if tower.reads:  # features of several layers fit side by side in the graph only: the model selects one layer
            kwargs = {**kwargs, next(iter(tower.selects)): tower.feature_layer}
        encoding = _Encoding()
        token = _underway.set(encoding)
        try:
            out = features(*args, **{**kwargs, "return_dict": True})
        finally:
            _underway.reset(token)
        assert encoding.stream is not None, "the tower's layers ran within"
        notes = _notes(encoding.stream, tower)
        if isinstance(out.pooler_output, Tensor):
            stacked(out, tower.features)
        out.pooler_output = [
            with_note(rows, note, tower.features) for rows, note in zip(out.pooler_output, notes, strict=True)
        ]
        return out

    return reduced


def entering_tower(hidden: Tensor, tower: Tower, wanted: Wanted) -> Stream:
    """G images of one size, each a sequence: `tower.leading` rows that are no patches, then the patches."""
    count, length = hidden.shape[:2]
    patches = length - tower.leading
    every = torch.arange(length, device=hidden.device)
    index = torch.arange(patches, device=hidden.device).expand(count, patches)
    first = torch.zeros(count, dtype=torch.int64, device=hidden.device)
    none = torch.zeros(count, 0, dtype=torch.int64, device=hidden.device)
    return Stream(
        hidden=hidden,
        attention_mask=None,
        position_embeddings=None,
        position_ids=None,
        positions=every.expand(count, length),
        images=Images(
            batch=torch.arange(count, device=hidden.device),
            rows=index + tower.leading,
            valid=None,
            sizes=torch.ones(count, patches, device=hidden.device),
            index=index,
            sequences=tuple(range(count)),
            counts=(patches,) * count,
            originals=(tower.features,) * count,
            wanted=(wanted,) * count,
        ),
        queries=Queries(last=first, text=none, text_after=none.bool(), in_prompt=None),
        lengths=(length,) * count,
        tower=True,
    )


def selected(stream: Stream, tower: Tower) -> Tensor:
    """The rows that are features, [G, K, D]: a leading row that is not left out, then what is left of the patches."""
    images, queries = stream.images, stream.queries
    assert images is not None and queries is not None
    lead = queries.last[:, None][:, : tower.leading - tower.dropped]
    taken = stream.hidden[images.batch[:, None], torch.cat([lead, images.rows], dim=1)]
    return taken if tower.norm is None else tower.norm(taken)


def _notes(stream: Stream, tower: Tower) -> list[Note]:
    """What the rows of each image's features stand for: patches by their place, a leading row that stays by its own."""
    images = stream.images
    assert images is not None
    staying = tower.leading - tower.dropped
    lead = torch.arange(staying, device=stream.hidden.device)
    places = stream.positions.gather(1, images.rows) - tower.dropped
    decided = images.decided or ((),) * len(images.counts)
    return [
        Note(
            places=torch.cat([lead, places[image, :count]]),
            index=torch.cat([lead, images.index[image, :count] + staying]),
            sizes=torch.cat([torch.ones(staying, device=lead.device), images.sizes[image, :count]]),
            decided=decided[image],
        )
        for image, count in enumerate(images.counts)
    ]


def _refuse_other_features(tower: Tower, kwargs: dict[str, Any]) -> None:
    for name, own in tower.selects.items():
        if kwargs.get(name) not in (None, own):
            refuse("E0431", f"`{name}` other than the model's own is not supported while the tower is reduced")
