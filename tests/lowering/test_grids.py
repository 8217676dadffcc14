"""Images of any size have grids of their own: `grid` and `window` go by the image at hand, not by the usual one."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from every_family import FAMILIES
from families import QWEN_GRIDS, batch
from torch import Tensor

import eosdsl
from eosdsl.diagnostics import SpecError

POOLED = "at layer 2: pick grid(2x2) via pool(within: window(2x2))"
qwen = pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])


@cache
def model_of(name: str) -> Any:
    return FAMILIES[name].build("sdpa")


def entering(model: Any, inputs: dict[str, Tensor]) -> Tensor:
    """What enters decoder layer 2, [B, L, D]."""
    seen: list[Tensor] = []
    layer = model.model.language_model.layers[2]
    hook = layer.register_forward_pre_hook(lambda _, args: seen.append(args[0].clone()))
    model(**inputs)
    hook.remove()
    return seen[0]


@qwen
@pytest.mark.parametrize("seen", ["usual", "wide", "square"])
def test_two_by_two_pooling_is_that_of_the_image(name: str, seen: str) -> None:
    """`usual` and `square` have as many tokens, and other rows and columns."""
    model = model_of(name)
    inputs = FAMILIES[name].prompt([3, seen, 5])
    rows, columns = (side // 2 for side in QWEN_GRIDS[seen][1:])
    full = entering(model, inputs)[0]
    start = int((inputs["mm_token_type_ids"][0] > 0).nonzero()[0])
    image = full[start : start + rows * columns].view(rows, columns, -1)
    cells = image.unfold(0, 2, 2).unfold(1, 2, 2).mean(dim=(-2, -1)).flatten(0, 1)
    with eosdsl.compile(POOLED, model):
        left = entering(model, inputs)[0]
    assert len(left) == len(full) - rows * columns + len(cells)
    torch.testing.assert_close(left[start : start + len(cells)], cells, atol=1e-5, rtol=1e-5)


@qwen
def test_several_shapes_at_once_are_refused_and_several_alike_are_not(name: str) -> None:
    family = FAMILIES[name]
    alike = batch([family.prompt([3, "wide", 5], 1), family.prompt([1, "wide", 2, "wide", 9], 2)])
    mixed = batch([family.prompt([3, "wide", 5], 1), family.prompt([1, "square", 2], 2)])
    with eosdsl.compile(POOLED, model_of(name)) as compiled:
        compiled(**alike)
        with pytest.raises(SpecError, match="E0431"):
            compiled(**mixed)
        with pytest.raises(SpecError, match="E0229"):
            compiled(**family.prompt([3, "video", 5]))
