"""Memory of a step grows with K x N and with N, not with N x N, unless the rule itself compares all with all."""

from __future__ import annotations

import pytest
import torch
from every_operator import SHARED, texts
from meter import Meter

from eosdsl import apply_step

ALL_WITH_ALL = ("distinct", "distance(least")  # by definition; one table an image, of 4 and of 1 byte an entry
KEPT, WIDTH = 16, 8


def metered(step: str, length: int) -> Meter:
    generator = torch.Generator().manual_seed(0)
    hidden, keys = torch.randn(2, 1, length, WIDTH, generator=generator)
    looks = torch.rand(1, 2, 3, length, generator=generator)
    with torch.no_grad(), Meter() as meter:
        apply_step(
            step.format(kept=KEPT, half=length // 2, most=length - KEPT),
            hidden,
            keys=keys,
            values=keys,
            attention=looks,
            text=torch.randn(1, 3, WIDTH, generator=generator),
            grid=(32, length // 32),
        )
    return meter


def parts() -> list[str]:
    inside = [f"within: {one}" for one in texts("supports")] + [f"similarity: {one}" for one in texts("similarities")]
    absorbing = [one for one in texts("behaviours", without=SHARED) if one != "prune"]
    return [f"{one}({part})" for one in absorbing for part in [*inside, "combine: sequential"]]


def kept_of(pick: str) -> str:
    return "{most}" if pick.startswith("distinct") else "{kept}"


STEPS = [
    *(f"retain {kept_of(pick)} tokens by norm(hidden) pick {pick} via prune" for pick in texts("picks")),
    *(f"retain {{kept}} tokens by norm(hidden) via {behaviour}" for behaviour in parts()),
    *(f"retain {budget} by norm(hidden) via prune" for budget in texts("budgets")),
    "retain {half} tokens pick bipartite(on: keys) via prune",
]


def test_memory_is_linear_in_the_number_of_tokens() -> None:
    for step in STEPS:
        if any(rule in step for rule in ALL_WITH_ALL):
            continue
        short, long = metered(step, 1024), metered(step, 2048)
        assert long.most < 2.7 * short.most, f"{step}: {short.most} bytes for 1024 tokens, {long.most} for 2048"


def test_pairs_of_anchors_and_tokens_are_held_a_few_times_at_most() -> None:
    for behaviour in parts():
        table = 4 * KEPT * 2048
        assert metered(f"retain {{kept}} tokens by norm(hidden) via {behaviour}", 2048).most < 12 * table, behaviour


@pytest.mark.parametrize(
    ("step", "bytes_a_pair"),
    [("retain {most} tokens by norm(hidden) pick distinct", 4), ("retain distance 0.9 by norm(hidden)", 1)],
)
def test_what_compares_all_with_all_holds_one_table(step: str, bytes_a_pair: int) -> None:
    meter = metered(step, 2048)
    assert meter.largest <= max(bytes_a_pair * 2048 * 2048, 4 * 512 * 2048)
    assert meter.most < bytes_a_pair * 2048 * 2048 + 8 * 4 * 512 * 2048


def test_the_meter_counts_what_is_held_and_forgets_what_is_not() -> None:
    with Meter() as meter:
        first = torch.zeros(1000)
        second = torch.zeros(2000)
        del first
        third = second + 1
    assert (meter.most, meter.largest, meter.now) == (4 * 4000, 4 * 2000, 4 * 4000)
    assert third.shape == (2000,)
