"""Where rows stand after a step."""

from __future__ import annotations

import torch
from building import call, group, reduce, tokens

from eosdsl.operators.positions import row_positions


def test_positions_keep_the_anchor_or_take_mean_or_median_of_members_halves_up() -> None:
    torch.manual_seed(1)
    hidden = torch.randn(2, 12, 4)
    made = reduce(group("merge"), 4, tokens(hidden))
    positions = torch.arange(10, 22).expand(2, 12)
    for policy in ("keep", "mean", "median"):
        found = row_positions(policy, made, positions)
        for image in range(2):
            for row in range(4):
                anchor = int(made.anchors[image, row])
                members = sorted(10 + j for j in range(12) if made.weights[image, row, j] > 0)
                middle = (members[(len(members) - 1) // 2] + members[len(members) // 2] + 1) // 2
                mean = int((sum(members) / len(members)) + 0.5)
                assert int(found[image, row]) == {"keep": 10 + anchor, "mean": mean, "median": middle}[policy]


def test_positions_of_m_rope_are_taken_axis_by_axis() -> None:
    hidden = torch.randn(1, 6, 4)
    made = reduce(group(call("pool")), 2, tokens(hidden))
    positions = torch.stack([torch.arange(6), torch.arange(6) * 3], dim=1)[None]
    found = row_positions("mean", made, positions)
    assert found.shape == (1, 2, 2)
    assert torch.equal(found[..., 1], row_positions("mean", made, positions[..., 1]))
