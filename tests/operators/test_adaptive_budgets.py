"""Budgets that depend on the image, against their descriptions; images that differ leave padded rows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import eosdsl
from eosdsl.operators.base import Reduction
from eosdsl.operators.registry import operators


def hidden(seed: int, images: int = 3, length: int = 40, width: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(images, length, width, generator=generator) * torch.rand(images, length, 1, generator=generator)


def counted(made: Reduction) -> list[int]:
    assert made.valid is not None
    return made.valid.sum(dim=1).tolist()


def test_every_adaptive_budget_is_tested_here() -> None:
    assert set(operators("budgets")) == {"outliers", "mass", "rank", "distance", "left"}


@pytest.mark.parametrize("iqr", [0.0, 0.3, 1.5])
def test_outliers_are_what_lies_above_the_fence_and_never_none(iqr: float) -> None:
    x = hidden(1)
    made = eosdsl.apply_step(f"retain outliers(iqr: {iqr})", x)
    for image, count in enumerate(counted(made)):
        norms = x[image].norm(dim=1).double().numpy()
        low, high = np.percentile(norms, 25), np.percentile(norms, 75)
        assert count == max(1, int((norms > high + iqr * (high - low)).sum()))
    flat = eosdsl.apply_step("retain outliers(iqr: 1.5)", torch.ones(2, 10, 3))
    assert flat.anchors.tolist() == [[0], [0]]


@pytest.mark.parametrize("share", [10, 50, 90, 100])
def test_mass_is_the_fewest_that_hold_the_share(share: int) -> None:
    x = hidden(2)
    made = eosdsl.apply_step(f"retain mass {share}%", x)
    for image, count in enumerate(counted(made)):
        norms = sorted(x[image].norm(dim=1).double().tolist(), reverse=True)
        held = [sum(norms[: k + 1]) / sum(norms) for k in range(len(norms))]
        assert count == next(k + 1 for k, part in enumerate(held) if part >= share / 100 - 1e-9)


def test_rank_of_the_attention_scales_to_tokens() -> None:
    generator = torch.Generator().manual_seed(3)
    ranks = (1, 2, 4)
    rows = torch.stack([torch.rand(6, r, generator=generator) @ torch.rand(r, 40, generator=generator) for r in ranks])
    attention = torch.stack([rows, rows], dim=1)
    made = eosdsl.apply_step("retain rank(2.5) by attention(query: raters)", hidden(3), attention=attention)
    assert counted(made) == [2, 5, 10]
    many = eosdsl.apply_step("retain rank(100) by attention(query: raters)", hidden(3), attention=attention)
    assert counted(many) == [39, 39, 39]


def test_distance_keeps_anchors_apart_from_the_highest_score_down() -> None:
    x = hidden(4)
    made = eosdsl.apply_step("retain distance 0.6 by norm(hidden)", x)
    assert made.valid is not None
    for image in range(3):
        units = torch.nn.functional.normalize(x[image], dim=1)
        kept: list[int] = []
        for row in x[image].norm(dim=1).argsort(descending=True).tolist():
            if all(float(1 - units[row] @ units[other]) > 0.6 for other in kept):
                kept.append(row)
        assert made.anchors[image][made.valid[image]].tolist() == sorted(kept)


@pytest.mark.parametrize("budget", ["outliers(iqr: 0.2)", "mass 70%", "distance 0.5"])
@pytest.mark.parametrize("behaviour", ["prune", "merge", "pool"])
def test_each_image_gets_what_it_gets_alone(budget: str, behaviour: str) -> None:
    x = hidden(5)
    made = eosdsl.apply_step(f"retain {budget} via {behaviour}", x)
    assert made.valid is not None
    for image in range(3):
        alone = eosdsl.apply_step(f"retain {budget} via {behaviour}", x[image : image + 1])
        count = alone.hidden.shape[1]
        assert made.valid[image].tolist() == [i < count for i in range(made.hidden.shape[1])]
        assert made.anchors[image, :count].tolist() == alone.anchors[0].tolist()
        torch.testing.assert_close(made.hidden[image, :count], alone.hidden[0])
        torch.testing.assert_close(made.weights[image, :count], alone.weights[0])
        assert not made.hidden[image, count:].any()
        assert not made.weights[image, count:].any()


def test_a_second_group_takes_from_what_an_adaptive_one_left() -> None:
    made = eosdsl.apply_step("retain mass 30% and retain 4 tokens pick uniform via merge", hidden(6))
    assert made.valid is not None
    for image in range(3):
        rows = made.anchors[image][made.valid[image]].tolist()
        assert rows == sorted(set(rows))
    torch.testing.assert_close(made.sizes.sum(dim=1), torch.full((3,), 40.0))


def test_left_is_a_share_of_what_earlier_groups_left() -> None:
    first = eosdsl.apply_step("retain mass 30%", hidden(6))
    both = eosdsl.apply_step("retain mass 30% and retain left(1/7) pick uniform via merge", hidden(6))
    for before, after in zip(counted(first), counted(both), strict=True):
        assert after - before == -(-(40 - before) // 7)
