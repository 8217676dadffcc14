"""The soft twins of the plan against the plan, at whole counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction

import pytest
import torch

from eosdsl.cost.account import schedule_cost
from eosdsl.cost.expect import schedule_amounts
from eosdsl.cost.latency import LatencyProfile, Point, fit_curve
from eosdsl.cost.plan import bound_schedule
from eosdsl.ir.schedule import Schedule
from eosdsl.operators.bound import bind_groups
from eosdsl.searching.soft_cost import Charge, SoftGroup, SoftSite, SoftTokens, soft_amounts

SPECS = [
    "at layer 2: retain 50% via prune",
    "at layers 0, 8, 16: retain 50%, 25%, 12.5% via merge with attention_bias: log_size",
    "at layer 5 after attention: retain 33% pick diverse via mix(0.5 merge, 0.3 reweight(temperature: 0.2))",
    "at layer 3: retain 100 tokens by attention(query: text) + norm(keys) pick dpp via pool\nat layer 9: retain 10%",
    "at layer 4: retain 54 tokens by norm(hidden) and retain 10 tokens pick uniform via merge",
    "at layer 6: retain 300 tokens pick bipartite(on: keys) via merge(weight: size)",
    "at encoder layers 0..22 after attention: remove 16 tokens pick bipartite(on: keys) via merge(weight: size)",
    "at encoder layer 5: retain 60% via pool\nat encoder output: retain 30% via merge\nat input: retain 9%",
]
PROFILE = LatencyProfile(
    model="llava-1.5-7b",
    layers=32,
    width=4096,
    dtype="float32",
    device="cpu",
    threads=1,
    machine={},
    versions={},
    table=(Point(rows=64, milliseconds=2.0),),
    curve=(0.5, 0.01, 0.00001),
    rest=7.5,
    attached=2.5,
    site=1.25,
    macs_per_millisecond=1e8,
    in_mlp=0.6,
    tower=5.0,
)


def soft_sites(schedule: Schedule) -> Iterator[SoftSite]:
    for reduction in schedule.reductions:
        counted: set[object] = set()
        groups: list[SoftGroup] = []
        for group, bound in zip(reduction.groups, bind_groups(reduction.groups), strict=True):
            fresh = [operator for operator in bound.operators() if operator not in counted]
            counted.update(bound.score.scores())
            assert group.count is not None
            charges = tuple(Charge(operator, torch.tensor(1.0)) for operator in fresh)
            groups.append(SoftGroup(torch.tensor(float(group.count)), charges))
        incoming = torch.tensor(float(reduction.incoming))
        yield SoftSite(torch.tensor(1.0), reduction.site.stream == "decoder", incoming, tuple(groups))


def soft_tokens(schedule: Schedule) -> SoftTokens:
    cost = schedule_cost(schedule, 64, 1)
    before = [one.retained for one in schedule.reductions if one.site.stream != "decoder"]
    return SoftTokens(
        torch.tensor([float(one.entering) for one in cost.decoder]).double(),
        torch.tensor([float(one.in_mlp) for one in cost.decoder]).double(),
        torch.tensor([float(one.entering) for one in cost.encoder]),
        torch.tensor([float(one.in_mlp) for one in cost.encoder]),
        torch.tensor(float((before or [schedule.model.visual_tokens])[-1])),
    )


@pytest.mark.parametrize("spec", SPECS)
@pytest.mark.parametrize(("text_tokens", "images"), [(64, 1), (17, 2)])
def test_soft_amounts_are_those_of_the_plan_at_whole_counts(spec: str, text_tokens: int, images: int) -> None:
    schedule, _ = bound_schedule(spec, "llava")
    exact, _ = schedule_amounts(schedule, text_tokens, images, PROFILE)
    soft = soft_amounts(schedule.model, soft_tokens(schedule), list(soft_sites(schedule)), text_tokens, images, PROFILE)
    assert [round(float(one)) for one in soft.entering] == [int(one) for one in exact.entering]
    for name in ("prefill_flops", "flops", "kv_cache"):
        assert float(getattr(soft, name)) == pytest.approx(float(getattr(exact, name)), rel=1e-12)
    assert soft.latency is not None and exact.latency is not None
    assert float(soft.latency) == pytest.approx(float(exact.latency), rel=1e-12)


def test_amounts_have_gradients_where_counts_do() -> None:
    schedule, _ = bound_schedule(SPECS[2], "llava")
    tokens = soft_tokens(schedule)
    entering, in_mlp = tokens.entering.requires_grad_(), tokens.in_mlp.requires_grad_()
    sites = [
        replace(
            site,
            gate=site.gate.requires_grad_(),
            incoming=entering[5],
            groups=tuple(SoftGroup(in_mlp[5], g.charges) for g in site.groups),
        )
        for site in soft_sites(schedule)
    ]

    def flops(extra: float) -> float:
        moved = replace(tokens, entering=entering.detach() + extra, in_mlp=in_mlp.detach())
        kept = [replace(s, gate=s.gate.detach(), incoming=moved.entering[5]) for s in sites]
        return float(soft_amounts(schedule.model, moved, kept).flops.detach())

    soft_amounts(schedule.model, tokens, sites).flops.backward()
    assert entering.grad is not None and in_mlp.grad is not None and (in_mlp.grad > 0).all()
    assert float(entering.grad.sum()) == pytest.approx((flops(0.5) - flops(-0.5)), rel=1e-6)
    assert all(site.gate.grad is not None and float(site.gate.grad) > 0 for site in sites)


def test_a_closed_gate_costs_nothing() -> None:
    schedule, _ = bound_schedule("at layer 2: retain 100%", "llava")
    opened, _ = bound_schedule(SPECS[3], "llava")
    closed = [replace(s, gate=torch.tensor(0.0)) for s in soft_sites(opened)]
    plain = soft_amounts(schedule.model, soft_tokens(schedule), [])
    assert float(soft_amounts(schedule.model, soft_tokens(schedule), closed).flops) == float(plain.flops)


def test_the_curve_through_a_table_is_found_again() -> None:
    truth = (0.4, 0.02, 3e-5)
    table = [Point(rows=n, milliseconds=truth[0] + truth[1] * n + truth[2] * n * n) for n in (16, 64, 128, 256, 640)]
    assert fit_curve(table) == pytest.approx(truth, rel=1e-6)
    falling = [Point(rows=n, milliseconds=10 - n / 100) for n in (16, 64, 128, 256)]
    assert min(fit_curve(falling)) >= 0


def test_a_profile_knows_mlps_and_the_tower_apart() -> None:
    """Ten rows of a hundred in the MLP of one layer; half of the tower's work gone."""
    layer = 0.5 + 0.01 * (0.4 * 100 + 0.6 * 10) + 0.00001 * 100**2
    assert PROFILE.layer(100.0, 10.0) == pytest.approx(layer)
    whole = 7.5 + 0.5 + 0.01 * 100 + 0.00001 * 100**2
    assert PROFILE.prefill([100.0], 0.0, 0.0) == pytest.approx(whole)
    assert PROFILE.prefill([100.0], 0.0, 0.0, [10.0], 0.5) == pytest.approx(7.5 - 2.5 + layer)


def test_latency_is_judged_by_a_profile() -> None:
    from eosdsl.cost.expect import check_expectations

    schedule, _ = bound_schedule(f"{SPECS[0]}\nexpect latency <= 300 ms, latency <= 80%\n", "llava")
    assert [d.code for d in check_expectations(schedule)] == ["E0331", "E0331"]
    assert check_expectations(schedule, profile=PROFILE) == []
    tight, _ = bound_schedule(f"{SPECS[0]}\nexpect latency <= 10 ms\n", "llava")
    (found,) = check_expectations(tight, profile=PROFILE)
    assert found.code == "E0330" and "ms" in found.message
    reduced, full = schedule_amounts(tight, 64, 1, PROFILE)
    assert isinstance(reduced.latency, Fraction) and full.latency is not None and reduced.latency < full.latency
