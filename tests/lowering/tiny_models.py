"""Tiny LLaVAs with random weights, real classes, built in a fraction of a second; prompts; programs written as IR."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    Qwen2Config,
    SiglipVisionConfig,
)

from eosdsl.ir.nodes import (
    Amount,
    AttentionBias,
    Bookkeeping,
    Budget,
    DiscreteProgram,
    Group,
    LayerRef,
    Mix,
    MixPart,
    ScoreExpr,
    Step,
    Where,
)
from eosdsl.ir.quantities import Argument, Call, Quantity, Value, Word

torch.set_num_threads(1)


IMAGE = 99  # token id of a placeholder
PAD = 0
TOKENS = 16  # visual tokens of an image: a grid of 4 by 4
LAYERS = 5


def tiny_llava(
    attention: str = "sdpa",
    kv_heads: int = 4,
    text: str = "llama",
    dtype: torch.dtype = torch.float32,
    seed: int = 0,
    tower: str = "clip",
    tower_layers: int = 2,
    select: Literal["default", "full"] = "default",
) -> Any:
    """A LlavaForConditionalGeneration with sharp enough attention for rankings without near-ties."""
    torch.manual_seed(seed)
    common: dict[str, Any] = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": kv_heads,
        "vocab_size": 100,
        "initializer_range": 0.25,
        "max_position_embeddings": 512,
        "pad_token_id": PAD,
        "bos_token_id": 1,
        "eos_token_id": None,
    }
    vision: dict[str, Any] = {
        "hidden_size": 24,
        "intermediate_size": 32,
        "num_hidden_layers": tower_layers,
        "num_attention_heads": 2,
        "image_size": 16,
        "patch_size": 4,
        "initializer_range": 0.25,
    }
    config = LlavaConfig(
        vision_config=CLIPVisionConfig(**vision) if tower == "clip" else SiglipVisionConfig(**vision),
        text_config=LlamaConfig(**common) if text == "llama" else Qwen2Config(**common),
        image_token_index=IMAGE,
        image_seq_length=TOKENS,
        vision_feature_select_strategy=select,
    )
    model: Any = LlavaForConditionalGeneration(config)
    model = model.to(dtype).eval()
    model.set_attn_implementation(attention)
    model.generation_config.pad_token_id = PAD
    model.generation_config.eos_token_id = None
    return model


@dataclass(frozen=True)
class Prompt:
    """What a processor gives: ids [B, L], mask [B, L], pixels [G, 3, 16, 16] or None."""

    input_ids: Tensor
    attention_mask: Tensor
    pixel_values: Tensor | None

    def inputs(self, **more: Any) -> dict[str, Any]:
        pixels = {} if self.pixel_values is None else {"pixel_values": self.pixel_values}
        return {"input_ids": self.input_ids, "attention_mask": self.attention_mask, **pixels, **more}


def prompt(parts: Sequence[int], seed: int = 0) -> Prompt:
    """One prompt: a positive number is so many text tokens, a zero an image. `[3, 0, 5]`: text, image, text."""
    generator = torch.Generator().manual_seed(seed)
    ids: list[int] = [1]
    pixels: list[Tensor] = []
    for part in parts:
        if part == 0:
            ids += [IMAGE] * TOKENS
            pixels.append(torch.randn(3, 16, 16, generator=generator))
        else:
            ids += torch.randint(2, 98, (part,), generator=generator).tolist()
    row = torch.tensor([ids])
    return Prompt(row, torch.ones_like(row), torch.stack(pixels) if pixels else None)


def batch(prompts: Sequence[Prompt]) -> Prompt:
    """Prompts in one batch, padded on the left."""
    longest = max(p.input_ids.shape[1] for p in prompts)
    ids, masks = [], []
    for p in prompts:
        gap = longest - p.input_ids.shape[1]
        ids.append(torch.nn.functional.pad(p.input_ids, (gap, 0), value=PAD))
        masks.append(torch.nn.functional.pad(p.attention_mask, (gap, 0)))
    pixels = [p.pixel_values for p in prompts if p.pixel_values is not None]
    return Prompt(torch.cat(ids), torch.cat(masks), torch.cat(pixels) if pixels else None)


def ratio(value: str | float | Fraction) -> Quantity:
    return Quantity(value=Fraction(str(value)), unit="ratio")


def tokens(count: int) -> Quantity:
    return Quantity(value=Fraction(count), unit="tokens")


def number(value: float) -> Quantity:
    return Quantity(value=Fraction(str(value)))


def call(name: str, **arguments: Any) -> Call:
    return Call(name=name, arguments=tuple(Argument(name=key, value=_value(one)) for key, one in arguments.items()))


def _value(value: Any) -> Value:
    if isinstance(value, str):
        return Word(name=value)
    return value if isinstance(value, Quantity | Call) else number(value)


LAST = call("attention", query="last")


def mix(**shares: float) -> Mix:
    parts = tuple(MixPart(share=number(share), behaviour=call(name)) for name, share in shares.items())
    return Mix(parts=parts)


def step(
    layers: int | Sequence[int],
    retain: Quantity | Sequence[Quantity],
    by: ScoreExpr | None = LAST,
    via: Call | Mix | None = None,
    gradual: bool = False,
    positions: str = "keep",
    order: str = "position",
    bias: float = 0.0,
) -> Step:
    amounts = [retain] if isinstance(retain, Quantity) else list(retain)
    where = Where(
        stream="decoder",
        layers=tuple(LayerRef(index=one) for one in ([layers] if isinstance(layers, int) else layers)),
        gradual=gradual,
    )
    group = Group(
        budget=Budget(verb="retain", amounts=tuple(Amount(value=one) for one in amounts)),
        score=by,
        behaviour=via or call("prune"),
    )
    bookkeeping = Bookkeeping.model_validate(
        {"positions": positions, "order": order, "attention_bias": AttentionBias(strength=number(bias))}
    )
    return Step(where=where, groups=(group,), bookkeeping=bookkeeping)


def program(*steps: Step, family: str | None = None) -> DiscreteProgram:
    return DiscreteProgram(name="test", family=family, steps=steps)
