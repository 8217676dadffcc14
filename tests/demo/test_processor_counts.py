"""Images of many sizes through the real processor of every family: an image is what the processor makes of it.

The budget of each is a share of the placeholders that its processor wrote for it, tiles and views together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from family_folders import FOLDERS, NEED_TORCHVISION
from PIL import Image
from transformers.utils import is_torchvision_available

import eosdsl
from eosdsl.lowering.record import record
from eosdsl.models.registry import facts
from eosdsl.run.prompt import prepare

SIZES = [(90, 60), (200, 40), (40, 130), (56, 56), (300, 280)]
"""Width and height in pixels: wide, tall, small, larger than all tiles together."""
torchvision = pytest.mark.skipif(not is_torchvision_available(), reason="their processors need torchvision")
every_folder = pytest.mark.parametrize(
    "name", [*FOLDERS, *(pytest.param(one, marks=torchvision) for one in NEED_TORCHVISION)]
)


@cache
def built(name: str) -> tuple[Any, Any]:
    return {**FOLDERS, **NEED_TORCHVISION}[name]()


def picture(size: tuple[int, int]) -> Image.Image:
    return Image.effect_noise(size, 80).convert("RGB")


def asked(name: str, *sizes: tuple[int, int]) -> tuple[Any, int]:
    """Inputs for a question about images of these sizes, and how many placeholders there are."""
    model, processor = built(name)
    inputs = prepare(processor, "What is this?", [picture(size) for size in sizes])
    return inputs, int((inputs["input_ids"] == facts(model).image_token_id).sum())


@every_folder
def test_a_share_is_of_what_the_processor_counts(name: str) -> None:
    model, _ = built(name)
    with eosdsl.compile("at layer 2: retain 1/3 by norm", model) as compiled:
        for size in SIZES:
            inputs, tokens = asked(name, size)
            with record(compiled) as steps, torch.no_grad():
                layers = compiled(**inputs).past_key_values.layers
            (image,) = steps[0].images
            assert len(image.kept) == -(-tokens // 3)
            text = inputs["input_ids"].shape[1] - tokens
            assert [layer.keys.shape[2] - text for layer in layers] == [tokens] * 2 + [-(-tokens // 3)] * 2


@every_folder
def test_each_of_several_images_has_its_own_share(name: str) -> None:
    model, _ = built(name)
    alone = [asked(name, size)[1] for size in SIZES[:3]]
    inputs, tokens = asked(name, *SIZES[:3])
    # LLaVA-OneVision gives an image among others one view and a newline
    each = alone if tokens == sum(alone) else [tokens // 3] * 3
    assert sum(each) == tokens
    with (
        eosdsl.compile("at layer 2: retain 1/3 by norm", model) as compiled,
        record(compiled) as steps,
        torch.no_grad(),
    ):
        compiled(**inputs)
    assert [len(image.kept) for image in steps[0].images] == [-(-one // 3) for one in each]
