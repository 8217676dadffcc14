"""Which decoder layers a model looks at the image in: what is lost where visual tokens end, and where attention goes.

It says what a search over layers can find: where nothing is read any more, dropping everything is free.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from eosdsl.tasks.base import Example
from eosdsl.tasks.registry import standard_families
from eosdsl.zoo.train_evaluate import accuracy

if TYPE_CHECKING:
    from transformers import LlavaForConditionalGeneration, LlavaProcessor


@dataclass(frozen=True, slots=True)
class LayerUse:
    """Of decoder layer `layer`: accuracy where visual tokens enter only the layers before it, and the share of the
    last prompt row's attention (mean over heads and questions) that it gives to visual tokens in the full model."""

    layer: int
    without: float
    attention: float
    questions: int


def asked(number: int, seed: int = 11) -> list[Example]:
    """Held-out questions, `number` of every family that needs the image."""
    return [
        one
        for family in standard_families().values()
        if family.needs_image
        for one in family.generate("test", seed, number)
    ]


def layer_use(
    model: LlavaForConditionalGeneration, processor: LlavaProcessor, examples: Sequence[Example]
) -> list[LayerUse]:
    """For every layer; the last entry, one past the last layer, is the full model."""
    language: Any = model.model.language_model
    layers, before = language.layers, language.config._attn_implementation
    model.set_attn_implementation({"text_config": "eager"})
    try:
        masses = _masses(model, processor, examples, len(layers))
        return [
            LayerUse(first, _blinded(model, processor, examples, first), masses[first], len(examples))
            for first in range(len(layers) + 1)
        ]
    finally:
        model.set_attn_implementation({"text_config": before})


def _blinded(model: Any, processor: Any, examples: Sequence[Example], first: int) -> float:
    with no_image_from(model, first):
        return accuracy(model, processor, examples, with_images=True)


@contextmanager
def no_image_from(model: Any, first: int) -> Generator[None]:
    """Hide the keys of visual tokens from all rows in the layers from `first` on. What visual rows then compute is
    never read again, so that this is dropping them: the others keep their positions."""
    visual: list[Tensor] = []

    def remember(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        ids = named.get("input_ids")
        if ids is not None and (ids == model.config.image_token_id).any():
            visual[:] = [ids == model.config.image_token_id]

    def hide(_: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        mask: Tensor = named["attention_mask"]
        hidden = torch.zeros(mask.shape[0], mask.shape[-1], dtype=torch.bool)
        hidden[:, : visual[0].shape[1]] = visual[0]
        return arguments, {**named, "attention_mask": _but_themselves(mask, hidden)}

    handles = [model.register_forward_pre_hook(remember, with_kwargs=True)]
    for layer in model.model.language_model.layers[first:]:
        handles.append(layer.register_forward_pre_hook(hide, with_kwargs=True))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _but_themselves(mask: Tensor, hidden: Tensor) -> Tensor:
    """The additive `mask` [B, 1, Q, K] without columns `hidden` [B, K]; a row may still see itself, so that no row sees
    nothing."""
    rows, columns = mask.shape[-2:]
    own = torch.arange(columns - rows, columns)[:, None] == torch.arange(columns)[None, :]
    return mask.masked_fill(hidden[:, None, None, :] & ~own, torch.finfo(mask.dtype).min)


def _masses(model: Any, processor: Any, examples: Sequence[Example], layers: int) -> list[float]:
    """Per layer, and 0 past the last one."""
    totals = torch.zeros(layers + 1)
    for one in examples:
        content = [*[{"type": "image"}] * len(one.images), {"type": "text", "text": one.question}]
        text = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
        inputs = processor(images=list(one.images), text=[text], return_tensors="pt", add_special_tokens=False)
        visual = inputs["input_ids"][0] == model.config.image_token_id
        with torch.no_grad():
            found = model(**inputs, output_attentions=True).attentions
        for layer, weights in enumerate(found):
            totals[layer] += weights[0, :, -1, visual].sum(-1).mean()
    return (totals / len(examples)).tolist()
