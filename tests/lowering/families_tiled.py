"""Families whose images are tiles that stand one by one in the prompt, most of them with text between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from families import END, START, Family, Seen, noise, ready
from families_llava import SIGLIP, TEXT, VISION
from tiny_models import IMAGE

FAKE, GLOBAL, NEWLINE, TILE = 95, 94, 93, 92
_PLACE = 92  # row and column tokens, in place of those of their own
_OF_A_TILE = 4  # tokens: 4 by 4 patches, joined 2 by 2


def internvl(attention: str) -> Any:
    from transformers import InternVLConfig, InternVLForConditionalGeneration

    torch.manual_seed(0)
    vision = {**VISION, "image_size": [16, 16], "patch_size": [4, 4]}
    text = {**TEXT, "model_type": "qwen2"}
    config = InternVLConfig(text_config=text, vision_config=vision, image_token_id=IMAGE, image_seq_length=_OF_A_TILE)
    model: Any = InternVLForConditionalGeneration(config)
    model.model.vision_tower.embeddings.position_embeddings.data.normal_(0, 0.25)
    return ready(model, attention)


def _idefics(kind: str) -> Callable[[str], Any]:
    def build(attention: str) -> Any:
        import transformers

        torch.manual_seed(0)
        make = getattr(transformers, f"{kind}ForConditionalGeneration")
        text = {**TEXT, "model_type": "llama"}
        config = getattr(transformers, f"{kind}Config")(text_config=text, vision_config=VISION, image_token_id=IMAGE)
        return ready(make(config), attention)

    return build


def aya_vision(attention: str) -> Any:
    """Three layers slide, over less than an image; the fourth sees all and rotates nothing."""
    from transformers import AyaVisionConfig, AyaVisionForConditionalGeneration

    torch.manual_seed(0)
    text = {**TEXT, "model_type": "cohere2", "sliding_window": 10}
    config = AyaVisionConfig(text_config=text, vision_config=SIGLIP, image_token_index=IMAGE)
    return ready(AyaVisionForConditionalGeneration(config), attention)


_GRIDS = {"usual": (2, 2), "wide": (1, 2), "one": (0, 0)}
_IDEFICS_GRIDS = {**_GRIDS, "usual": (4, 4)}


def _internvl(name: str, seed: int) -> Seen:
    tiles = _count(_GRIDS[name])
    ids = (START, *[IMAGE] * (_OF_A_TILE * tiles), END)
    return Seen(_OF_A_TILE * tiles, {"pixel_values": noise((tiles, 3, 16, 16), seed)}, ids=ids)


def _aya(name: str, seed: int) -> Seen:
    tiles = _count(_GRIDS[name])
    ids = (START, *(TILE, *[IMAGE] * _OF_A_TILE) * tiles, END)
    return Seen(_OF_A_TILE * tiles, {"pixel_values": noise((tiles, 3, 16, 16), seed)}, ids=ids)


def _rows(name: str, seed: int) -> Seen:
    down, across = _IDEFICS_GRIDS[name]
    row = (*(FAKE, _PLACE, *[IMAGE] * _OF_A_TILE) * across, NEWLINE)
    ids = (*row * down, *[NEWLINE] * bool(down), FAKE, GLOBAL, *[IMAGE] * _OF_A_TILE, FAKE)
    tiles = _count((down, across))
    return Seen(_OF_A_TILE * tiles, {"tiles": noise((tiles, 3, 16, 16), seed)}, ids=ids)


def _count(grid: tuple[int, int]) -> int:
    """Tiles, and the image as a whole."""
    return grid[0] * grid[1] + 1


TILED_FAMILIES = {
    family.name: family
    for family in (
        Family("internvl", internvl, _internvl, others=("wide", "one")),
        Family("idefics3", _idefics("Idefics3"), _rows, others=("wide", "one")),
        Family("smolvlm", _idefics("SmolVLM"), _rows, others=("wide", "one")),
        Family("aya_vision", aya_vision, _aya, others=("wide", "one"), divides=False),
    )
}
