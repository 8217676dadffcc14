"""Where the parts of a transformers vision-language model are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

from eosdsl.lowering.refusals import refuse
from eosdsl.models.profile import TorchNames


@dataclass(frozen=True)
class Anatomy:
    """One model, taken apart. `model` generates; `vlm` puts visual features among the text; `text` is the decoder."""

    model: nn.Module
    vlm: nn.Module
    text: nn.Module
    layers: tuple[nn.Module, ...]
    norm: nn.Module
    rotary: nn.Module
    config: Any
    image_token_id: int


def dissect(model: nn.Module, names: TorchNames) -> Anatomy:
    """The parts of `model`, found where its family's profile says. Raises SpecError (E0438) where one is missing."""
    whole = whole_model(model)
    text = _part(whole, names.text_model, "language model")
    vlm = _part(whole, names.text_model.rpartition(".")[0], "vision-language model")
    layers = _part(text, names.layers, "list of decoder layers")
    if not isinstance(layers, nn.ModuleList) or not all(_is_decoder_layer(layer) for layer in layers):
        refuse("E0438", f"decoder layers of {type(whole).__name__} have no self_attn with q_proj, k_proj and v_proj")
    image_token_id = getattr(whole.config, "image_token_id", None)
    if image_token_id is None:
        refuse("E0438", f"the config of {type(whole).__name__} has no image_token_id")
    return Anatomy(
        model=whole,
        vlm=vlm,
        text=text,
        layers=tuple(layers),
        norm=_part(text, names.norm, "last norm"),
        rotary=_part(text, names.rotary, "rotary embedding"),
        config=text.config,
        image_token_id=int(image_token_id),
    )


def whole_model(model: nn.Module) -> Any:
    """The transformers model inside PEFT's wrapper, if there is one."""
    base = getattr(model, "get_base_model", None)
    return base() if callable(base) else model


def _part(parent: nn.Module, path: str, what: str) -> Any:
    part: Any = parent
    for name in path.split("."):
        part = getattr(part, name, None)
    if not isinstance(part, nn.Module):
        refuse("E0438", f"{type(parent).__name__} has no {what} (`{path}`)")
    return part


def _is_decoder_layer(layer: nn.Module) -> bool:
    attention = getattr(layer, "self_attn", None)
    names = ("q_proj", "k_proj", "v_proj")
    return hasattr(layer, "input_layernorm") and all(hasattr(attention, name) for name in names)
