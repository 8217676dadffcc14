"""Where the tokens of images lie whose tiles are put together behind the projector (LLaVA-NeXT, LLaVA-OneVision).

Padding is cut off, and a newline goes behind every row: how, is transformers' business. So numbers of patches are
packed as features would be, and what comes out is read. Patches that are cut off are no tokens; they stay in the tower
for others to look at. Newlines are tokens of the decoder that no patch stands for: they stay.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from eosdsl.lowering.cells import WHOLE, Geometry
from eosdsl.lowering.refusals import refuse

_NEWLINE = -1.0


def of_packed(length: int, vlm: Any, leading: int, asked: Mapping[str, Any]) -> Geometry:
    """Images of several tiles each, every tile a sequence of `length` rows, `leading` of them in front of its patches.

    vlm: what packs features, with the keywords of `get_image_features` that are `asked` for.

    Raises:
        SpecError: E0431 where an image is so large that its features are scaled down.
    """
    sizes = asked["image_sizes"]
    counts = _tiles(vlm, sizes, asked.get("batch_num_images"))
    packed = _packed(vlm, counts, length - leading, sizes, asked)
    numbers = [own[:, 0].round().long() for own in packed]
    for own, image in zip(packed, numbers, strict=True):
        if not torch.equal(own[:, 1], image.double() ** 2):
            refuse(
                "E0431",
                "an image is so large that its features are scaled down: its tower cannot be reduced",
                "give it smaller, or reduce `at input`",
            )
    places = tuple((image >= 0).nonzero()[:, 0] for image in numbers)
    cells = tuple(_rows(image[place], length, leading) for image, place in zip(numbers, places, strict=True))
    tiles = sum(counts)
    owner = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))[:, None].expand(tiles, length)
    part = torch.arange(tiles)[:, None].expand(tiles, length)
    return Geometry(cells, owner, {WHOLE: part}, (None,) * len(counts), places, tuple(map(len, numbers)))


def _rows(numbers: Tensor, length: int, leading: int) -> Tensor:
    """Rows [n, 1] of patches by their number [n], counted through all tiles."""
    patches = length - leading
    return (numbers // patches * length + leading + numbers % patches)[:, None]


def _tiles(vlm: Any, sizes: Any, images_of_prompts: Any) -> list[int]:
    """Tiles of every image; among several images of one prompt each has one (LLaVA-OneVision)."""
    count = sys.modules[type(vlm).__module__].image_size_to_num_patches
    config = vlm.config
    whole = [True] * len(sizes)
    if images_of_prompts is not None:
        whole = [int(n) == 1 for n in images_of_prompts for _ in range(int(n))]
    return [
        count(image_size=size, grid_pinpoints=config.image_grid_pinpoints, patch_size=config.vision_config.image_size)
        if cut
        else 1
        for size, cut in zip(sizes, whole, strict=True)
    ]


def _packed(vlm: Any, counts: list[int], patches: int, sizes: Any, asked: Mapping[str, Any]) -> list[Tensor]:
    """Per image [N, 2]: the number of the patch that each token is, and its square, by which one sees that it is none
    but a mean of several; -1 and 1 for a newline.
    """
    number = torch.arange(sum(counts) * patches, dtype=torch.float64).view(-1, patches)
    features = torch.stack([number, number**2], dim=2).split(counts)
    names = ("vision_feature_select_strategy", "vision_aspect_ratio")
    taken = signature(vlm.pack_image_features).parameters
    given = {name: asked.get(name) or getattr(vlm.config, name, None) for name in names if name in taken}
    newline = torch.tensor([_NEWLINE, _NEWLINE**2], dtype=torch.float64)
    return list(vlm.pack_image_features(list(features), sizes, image_newline=newline, **given)[0])
