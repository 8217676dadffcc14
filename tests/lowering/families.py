"""What a family needs to be under the laws of `test_family_laws.py`: a tiny instance, its real classes with random
weights, and prompts as its processor would give them. Here those of the Qwen families; `every_family.py` has all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from tiny_models import IMAGE, PAD
from torch import Tensor

Inputs = dict[str, Tensor]
Part = int | str
"""Of a prompt: so many text tokens, or something to see, by name."""

VIDEO, START, END = 98, 97, 96
ROWS = ("input_ids", "attention_mask", "mm_token_type_ids", "token_type_ids")


@dataclass(frozen=True)
class Seen:
    """Something to see: its `tokens` in the decoder, the placeholder they have, and what goes along in the inputs;
    ids: all token ids, where some of the text stand among them.
    """

    tokens: int
    inputs: Mapping[str, Tensor]
    placeholder: int = IMAGE
    kind: int = 1
    runs: int = 1  # of placeholders, with text between them
    ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class Family:
    """A family: how a model is built for an attention implementation, what there is to see (name and seed to `Seen`),
    and kinds of it: `usual` has as many tokens as the plan says, `other` another number.

    wraps: tokens before and after what is seen; typed: the family's forwards take mm_token_type_ids; types: they take
    token_type_ids, which are 1 for images, or 0 for the whole prompt; divides: its layers have a middle; attentions:
    those that transformers runs it with.
    """

    name: str
    build: Callable[[str], Any]
    see: Callable[[str, int], Seen]
    usual: str = "usual"
    others: tuple[str, ...] = ()
    wraps: tuple[int | None, int | None] = (None, None)
    typed: bool = False
    types: Literal["images", "prefix"] | None = None
    divides: bool = True
    attentions: tuple[str, ...] = ("sdpa", "eager")

    def prompt(self, parts: Sequence[Part], seed: int = 0) -> Inputs:
        """One prompt: `[3, "usual", 5]` is three text tokens, an image, five text tokens."""
        generator = torch.Generator().manual_seed(seed)
        ids, kinds, brought = [1], [0], list[Seen]()
        for number, part in enumerate(parts):
            if isinstance(part, int):
                ids += torch.randint(2, 90, (part,), generator=generator).tolist()
                kinds += [0] * part
                continue
            seen = self.see(part, 100 * seed + number)
            brought.append(seen)
            if seen.ids:
                ids += seen.ids
                kinds += [seen.kind if one == seen.placeholder else 0 for one in seen.ids]
                continue
            around = [[] if one is None else [one] for one in self.wraps]
            for _ in range(seen.runs):
                ids += [*around[0], *[seen.placeholder] * (seen.tokens // seen.runs), *around[1]]
                kinds += [*[0] * len(around[0]), *[seen.kind] * (seen.tokens // seen.runs), *[0] * len(around[1])]
        row = torch.tensor([ids])
        rows = {"input_ids": row, "attention_mask": torch.ones_like(row)}
        if self.typed:
            rows["mm_token_type_ids"] = torch.tensor([kinds])
        if self.types is not None:
            rows["token_type_ids"] = torch.tensor([kinds]) * (self.types == "images")
        joined = _joined([seen.inputs for seen in brought])
        return {**rows, **({"pixel_values": joined["tiles"][None]} if "tiles" in joined else joined)}

    def text_rows(self, inputs: Inputs) -> Tensor:
        """[B, L] bool: rows that are neither padding nor visual."""
        ids = inputs["input_ids"]
        return inputs["attention_mask"].bool() & (ids != IMAGE) & (ids != VIDEO)


def batch(prompts: Sequence[Inputs]) -> Inputs:
    """Prompts in one batch, padded on the left."""
    longest = max(one["input_ids"].shape[1] for one in prompts)
    rows = {
        name: torch.cat([torch.nn.functional.pad(one[name], (longest - one[name].shape[1], 0)) for one in prompts])
        for name in ROWS
        if name in prompts[0]
    }
    brought = [{name: value for name, value in one.items() if name not in ROWS} for one in prompts]
    return {**rows, **(_stacked(brought) if any(map(_is_stacked, brought)) else _joined(brought))}


def _is_stacked(brought: Mapping[str, Tensor]) -> bool:
    """Whether tiles come sequence by sequence, [1, tiles, 3, H, W], and not image by image."""
    return "image_sizes" not in brought and "pixel_values" in brought and brought["pixel_values"].ndim == 5


def _stacked(brought: Sequence[Mapping[str, Tensor]]) -> Inputs:
    """Tiles of all sequences, those that have fewer filled up with zeros as the processor does."""
    pixels = [one["pixel_values"][0] if one else torch.zeros(0, 3, 16, 16) for one in brought]
    most = max(map(len, pixels))
    filled = [torch.nn.functional.pad(one, (0, 0, 0, 0, 0, 0, 0, most - len(one))) for one in pixels]
    return {"pixel_values": torch.stack(filled)}


def _joined(brought: Sequence[Mapping[str, Tensor]]) -> Inputs:
    names = dict.fromkeys(name for one in brought for name in one)
    return {name: torch.cat([one[name] for one in brought if name in one]) for name in names}


def ready(model: Any, attention: str) -> Any:
    """The model as the tests use it: no end of sequence, so that all answers have the length asked for."""
    model = model.eval()
    model.set_attn_implementation(attention)
    model.generation_config.pad_token_id = PAD
    model.generation_config.eos_token_id = None
    return model


def noise(shape: Sequence[int], seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


QWEN_GRIDS = {"usual": (1, 8, 8), "wide": (1, 4, 12), "square": (1, 4, 16), "video": (3, 4, 8)}
"""Frames, rows and columns of patches; four of them are one token in the decoder."""
_QWEN_TEXT: dict[str, Any] = {
    "hidden_size": 48,
    "intermediate_size": 64,
    "num_hidden_layers": 5,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 100,
    "initializer_range": 0.25,
    "pad_token_id": PAD,
    "bos_token_id": 1,
    "eos_token_id": None,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 2, 2]},
}
_QWEN_TOKENS: dict[str, Any] = {
    "image_token_id": IMAGE,
    "video_token_id": VIDEO,
    "vision_start_token_id": START,
    "vision_end_token_id": END,
}


def _qwen_seen(name: str, seed: int, patch_values: int, *, apart: bool) -> Seen:
    grid = QWEN_GRIDS[name]
    frames, rows, columns = grid
    pixels, side = noise((frames * rows * columns, patch_values), seed), "videos" if name == "video" else ""
    names = ("pixel_values_videos", "video_grid_thw") if side else ("pixel_values", "image_grid_thw")
    inputs: dict[str, Tensor] = dict(zip(names, (pixels, torch.tensor([grid])), strict=True))
    if side:
        return Seen(frames * rows * columns // 4, inputs, VIDEO, 2, frames if apart else 1)
    return Seen(rows * columns // 4, inputs)


def qwen2_vl(attention: str = "sdpa") -> Any:
    from transformers import Qwen2VLConfig, Qwen2VLForConditionalGeneration

    torch.manual_seed(0)
    vision = {
        "depth": 2,
        "embed_dim": 32,
        "hidden_size": 48,
        "num_heads": 2,
        "patch_size": 4,
        "initializer_range": 0.25,
    }
    config = Qwen2VLConfig(text_config=dict(_QWEN_TEXT), vision_config=vision, **_QWEN_TOKENS)
    return ready(Qwen2VLForConditionalGeneration(config), attention)


def qwen2_5_vl(attention: str = "sdpa") -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    torch.manual_seed(0)
    vision = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "out_hidden_size": 48,
        "num_heads": 2,
        "patch_size": 4,
        "window_size": 16,
        "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
        "initializer_range": 0.25,
    }
    config = Qwen2_5_VLConfig(text_config=dict(_QWEN_TEXT), vision_config=vision, **_QWEN_TOKENS)
    return ready(Qwen2_5_VLForConditionalGeneration(config), attention)


def qwen3_vl(attention: str = "sdpa") -> Any:
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    torch.manual_seed(0)
    vision = {
        "depth": 3,
        "hidden_size": 32,
        "intermediate_size": 48,
        "out_hidden_size": 48,
        "num_heads": 2,
        "patch_size": 4,
        "num_position_embeddings": 16,
        "deepstack_visual_indexes": [0, 1, 2],
        "initializer_range": 0.25,
    }
    text = {**_QWEN_TEXT, "head_dim": 12}
    return ready(
        Qwen3VLForConditionalGeneration(Qwen3VLConfig(text_config=text, vision_config=vision, **_QWEN_TOKENS)),
        attention,
    )


def _qwen(name: str, build: Callable[[str], Any], *, apart: bool = False) -> Family:
    """apart: the frames of a video have text between them."""
    return Family(
        name=name,
        build=build,
        see=lambda kind, seed: _qwen_seen(kind, seed, 3 * 2 * 4 * 4, apart=apart),
        others=("wide", "square", "video"),
        wraps=(START, END),
        typed=True,
    )


QWEN_FAMILIES = {
    family.name: family
    for family in (
        _qwen("qwen2_vl", qwen2_vl),
        _qwen("qwen2_5_vl", qwen2_5_vl),
        _qwen("qwen3_vl", qwen3_vl, apart=True),
    )
}
