"""A call of the vision-language model on its way in: what cannot be right is refused, images are found, features
made.
"""

from __future__ import annotations

from dataclasses import replace
from inspect import Parameter, signature
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import StaticCache
from transformers.masking_utils import find_packed_sequence_indices

from eosdsl.lowering.anatomy import MODALITIES, Anatomy
from eosdsl.lowering.arrivals import Note, arrival_of, as_the_model_takes_them, note_of
from eosdsl.lowering.attending import blocks_of
from eosdsl.lowering.cache import refuse_cache, refuse_windows_only
from eosdsl.lowering.cache_name import CACHE, by_its_name
from eosdsl.lowering.forward import ENTRY, Entry
from eosdsl.lowering.generating import prompt_rows
from eosdsl.lowering.images import Layout, read_layout
from eosdsl.lowering.masks import READY
from eosdsl.lowering.places import incoming
from eosdsl.lowering.refusals import refuse, refuse_without_weights
from eosdsl.lowering.tiles import prompt, tokens_of_images

NOTES = "eosdsl_notes"
"""The keyword by which notes on features travel into the vision-language model, from in front of what may copy them."""

_PACKED = ("cu_seq_lens_q", "cu_seq_lens_k", "max_length_q", "max_length_k", "seq_idx", "token_type_ids")
_PIXELS = {"image": "pixel_values", "video": "pixel_values_videos"}
_TAKEN = {
    "cache_position",
    "is_causal",
    "logits_to_keep",
    "num_items_in_batch",
    "output_attentions",
    "output_hidden_states",
    "output_router_logits",
    "return_dict",
    "use_cache",
}


_IGNORED = -100  # by the loss: a label that names nothing


def checked_outer(model: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The keywords that a call of the whole model goes on with: labels that name no row are left out, as PaliGemma's
    processor gives them with every prompt.

    Raises:
        SpecError: E0431, E0435 where a call asks what a reduced sequence cannot give.
    """
    labels = kwargs.get("labels")
    if labels is not None and bool((labels != _IGNORED).any()):
        refuse(
            "E0431",
            "labels are not supported while an operator is attached: they name rows that reductions remove",
            "compute the loss from logits of the rows that are left, or detach the operator",
        )
    if not torch.compiler.is_compiling():  # a hook is traced on its own: looking at a weight would be a second graph
        refuse_without_weights(model)
    return {name: value for name, value in kwargs.items() if name != "labels"}


def with_notes(kwargs: dict[str, Any]) -> dict[str, Any]:
    """A call of the whole model with the notes on the features that it brings, those of a reduced tower.

    Notes ride on tensors; what moves tensors from device to device (accelerate's hooks, in front of every forward)
    makes new ones without.
    """
    outputs = kwargs.get("mm_encoder_outputs")
    if not outputs or NOTES in kwargs:
        return kwargs
    notes = {kind: tuple(map(note_of, outputs[kind].pooler_output)) for kind in MODALITIES if outputs.get(kind)}
    return {**kwargs, "mm_encoder_outputs": as_the_model_takes_them(outputs), NOTES: notes}


def entering(
    anatomy: Anatomy, args: tuple[Any, ...], kwargs: dict[str, Any], *, noted: bool, known: frozenset[str]
) -> dict[str, Any]:
    """The keywords that a call of the vision-language model goes on with: visual features made, the layout added.

    noted: the features must have been reduced in the tower, and say so. known: keywords that the model's forward names
    (`keywords_of`).

    Raises:
        SpecError: E0431 to E0433, E0440 where the call cannot be right on a reduced sequence.
    """
    call = _by_name(anatomy.vlm, args, kwargs)
    notes = call.pop(NOTES, None)
    _refuse(anatomy, call, known)
    pixels = [kind for kind in anatomy.placeholders if call.get(_PIXELS[kind]) is not None]
    if pixels and not _encoded(call):
        with prompt(call["input_ids"]):
            call["mm_encoder_outputs"] = {kind: _features(anatomy.vlm, kind, call) for kind in pixels}
        call.update({_PIXELS[kind]: None for kind in pixels})
    entry = _entry(anatomy, call, _notes(call, notes) if noted else None)
    if noted and notes is None and entry.layout is not None:
        call["mm_encoder_outputs"] = as_the_model_takes_them(call["mm_encoder_outputs"])
    return {**call, ENTRY: entry}


def _by_name(vlm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
    if not args:
        return by_its_name(dict(kwargs))
    parameters = signature(vlm.forward).parameters.values()
    names = [p.name for p in parameters if p.kind is Parameter.POSITIONAL_OR_KEYWORD]
    return by_its_name({**dict(zip(names, args, strict=False)), **kwargs})


def _encoded(call: dict[str, Any]) -> dict[str, Any]:
    """The features of images and of videos that a call brings, one tensor each."""
    outputs = call.get("mm_encoder_outputs") or {}
    return {kind: outputs[kind].pooler_output for kind in MODALITIES if outputs.get(kind) is not None}


def _features(vlm: Any, kind: str, call: dict[str, Any]) -> Any:
    """Visual features, as `generate` makes them before its first forward."""
    features = getattr(vlm, f"get_{kind}_features")
    asked = {name: call[name] for name in signature(features).parameters if name in call}
    return features(**{**asked, "return_dict": True})


def _notes(call: dict[str, Any], given: dict[str, Any] | None) -> list[Note | None]:
    """What each of the features of a call stands for, None where it was made without the operator."""
    if given is not None:
        return [note for of_kind in given.values() for note in of_kind]
    return [note_of(one) for features in _encoded(call).values() for one in features]


def _entry(anatomy: Anatomy, call: dict[str, Any], notes: list[Note | None] | None) -> Entry:
    mask = call.get("attention_mask")
    layout = _layout(anatomy, call, notes)
    ahead = None
    if anatomy.attending.blocks == "prefix" and _is_ready(mask):
        ahead, call["attention_mask"] = mask, None  # PaliGemma makes a mask of whatever it is given
    return Entry(layout, mask if isinstance(mask, Tensor) else None, _blocks(anatomy, call, layout), ahead)


def _blocks(anatomy: Anatomy, call: dict[str, Any], layout: Layout | None) -> Tensor | None:
    """Which rows of the call see each other in both directions. Raises SpecError (E0431) where it must say, and does
    not.
    """
    attending, kinds, cache = anatomy.attending, call.get("token_type_ids"), call.get(CACHE)
    if attending.blocks != "prefix":
        blocks = blocks_of(attending, kinds)
        return None if blocks is None else blocks[:, -call["input_ids"].shape[1] :]
    if cache is not None and cache.is_initialized:
        return None  # a prefix is there once
    if kinds is None and layout is not None:
        refuse(
            "E0431",
            "a call without `token_type_ids` does not say where the prefix ends, whose rows see each other",
            "give what the processor gives: zeros for the prefix, ones for the answer",
        )
    return blocks_of(attending, kinds)


def _layout(anatomy: Anatomy, call: dict[str, Any], notes: list[Note | None] | None) -> Layout | None:
    """Where the images of a call are; `notes`: on its features, None where the tower is left alone."""
    encoded = _encoded(call)
    if not encoded:
        return None
    cached = call.get(CACHE) is not None
    layout = read_layout(
        call["input_ids"],
        call.get("attention_mask"),
        [(anatomy.placeholders[kind], _lengths(anatomy, call, kind, of_kind)) for kind, of_kind in encoded.items()],
        None if cached else prompt_rows(),
    )
    if layout is None or notes is None:
        return layout
    ordered = [note for place in layout.order if (note := notes[place]) is not None]
    if len(ordered) < len(notes):
        refuse("E0447", "these visual features were made without the operator", "let the model encode the images")
    return replace(layout, arrival=arrival_of(ordered))


def _lengths(anatomy: Anatomy, call: dict[str, Any], kind: str, features: Any) -> list[int]:
    """Visual tokens of every image, or of every video."""
    lengths = [len(one) for one in features]
    if anatomy.tiles is None:
        return lengths
    ids = call["input_ids"].cpu().numpy()
    return tokens_of_images(anatomy.tiles, ids, anatomy.placeholders[kind], sum(lengths))


def _refuse(anatomy: Anatomy, call: dict[str, Any], known: frozenset[str]) -> None:
    if call.get("input_ids") is None:
        refuse("E0432", "the model was called without input_ids: which rows are visual is read from them")
    if call.get("output_attentions") or getattr(anatomy.config, "output_attentions", False):
        refuse("E0431", "output_attentions is not supported while an operator is attached: rows leave the sequence")
    typed = () if anatomy.attending.blocks is None else ("token_type_ids",)
    packed = [name for name in _PACKED if call.get(name) is not None and name not in typed]
    if packed:
        refuse("E0431", f"packed sequences are not supported while an operator is attached (`{packed[0]}`)")
    if call.get("is_causal") is False:
        refuse("E0431", "bidirectional attention is not supported while an operator is attached (`is_causal`)")
    unknown = [name for name, value in call.items() if value is not None and name not in known]
    if unknown:
        refuse("E0431", f"`{unknown[0]}` is not supported while an operator is attached")
    cache = call.get(CACHE)
    refuse_windows_only(cache, anatomy.attending.window)
    slides = anatomy.attending.window is not None
    _refuse_sequence(call.get("attention_mask"), call.get("position_ids"), cache, slides=slides)
    if anatomy.config._attn_implementation == "flex_attention" and isinstance(call.get(CACHE), StaticCache):
        refuse("E0433", "flex attention does not work with a static cache", 'use attn_implementation="sdpa"')


def _is_ready(attention_mask: Any) -> bool:
    """Whether `generate` made it ahead, with the operator attached."""
    return isinstance(attention_mask, dict) and READY in attention_mask


def keywords_of(kind: type) -> frozenset[str]:
    """The keywords that a class's forward names, and those that its decorators take."""
    return frozenset(signature(kind.forward).parameters) | _TAKEN  # pyright: ignore[reportAttributeAccessIssue]


def _refuse_sequence(attention_mask: Any, position_ids: Any, cache: Any, *, slides: bool) -> None:
    if (
        attention_mask is not None
        and not _is_ready(attention_mask)
        and not (isinstance(attention_mask, Tensor) and attention_mask.ndim == 2)
    ):
        refuse("E0431", "a ready-made attention mask is not supported while an operator is attached", "pass a 2-D mask")
    if cache is not None:
        refuse_cache(cache, slides=slides)
        return
    if attention_mask is not None or position_ids is None or torch.compiler.is_compiling():
        return
    _, position_ids = incoming(position_ids)
    if position_ids is None:
        return  # transformers looks for packed sequences in no positions of three axes
    if find_packed_sequence_indices(position_ids) is not None:
        refuse("E0431", "packed sequences are not supported while an operator is attached (gaps in `position_ids`)")
