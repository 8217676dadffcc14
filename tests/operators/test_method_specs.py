"""The published methods as specs: clean to check, formatted, sourced, and every site of theirs runs on tensors."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import eosdsl
from eosdsl.ir.nodes import DiscreteProgram
from eosdsl.ir.schedule import BoundGroup, Schedule
from eosdsl.models.registry import facts
from eosdsl.operators.base import AttentionProbe, AttentionRows, CostContext, LearnedProbe, Tokens
from eosdsl.operators.counts import group_counts
from eosdsl.operators.needs import macs, probes
from eosdsl.operators.reduce import reduce_tokens
from eosdsl.passes.bind import bind
from eosdsl.resources import resource

SPECS = sorted(resource("specs").glob("methods/*.eos"))
MODEL = facts("llava")
WANTED = (
    "fastv sparsevlm_v10 sparsevlm_v15 sparsevlm_plus pyramiddrop dart fitprune visionzip prumerge prumerge_plus "
    "vispruner fastervlm divprune cdpruner trim hired pact aim holitom mustdrop vtw tome diffrate evit dynamicvit "
    "pooling uniform random"
)


def schedule(path: Path) -> Schedule:
    program = eosdsl.parse(path)
    assert isinstance(program, DiscreteProgram)
    bound, found = bind(program, MODEL)
    assert bound is not None, found
    return bound


def test_every_method_that_is_promised_is_there() -> None:
    assert set(WANTED.split()) <= {path.stem for path in SPECS}


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_a_method_is_clean_formatted_and_sourced(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    found = [one for one in eosdsl.check(path, model="llava") if one.severity != "info"]
    assert found == []
    assert eosdsl.format(text) == text
    first = text[: text.index("operator")]
    assert first.startswith("# ")
    control = path.stem in ("uniform", "random", "pooling")
    assert control or re.search(r"arXiv \d{4}\.\d{5}", first)
    assert control or re.search(r"@[0-9a-f]{7}", first)
    assert "Claim:" in first
    assert f"operator {path.stem}" in text


def sample(groups: tuple[BoundGroup, ...], incoming: int) -> Tokens:
    generator = torch.Generator().manual_seed(incoming)
    width, original = 6, MODEL.visual_tokens
    index = torch.randperm(original, generator=generator)[:incoming].sort().values
    needed = probes(groups)
    rows = {probe: incoming if probe.query == "visual" else 5 for probe in needed if isinstance(probe, AttentionProbe)}
    return Tokens(
        hidden=torch.randn(2, incoming, width, generator=generator),
        sizes=torch.ones(2, incoming),
        index=index.expand(2, incoming),
        keys=torch.randn(2, incoming, width, generator=generator),
        values=torch.randn(2, incoming, width, generator=generator),
        attention={
            probe: AttentionRows((3 * torch.randn(2, 16, count, incoming, generator=generator)).softmax(dim=3))
            for probe, count in rows.items()
        },
        text=torch.randn(2, 7, width, generator=generator),
        grid=MODEL.grid,
        learned={
            probe.module: torch.rand(2, incoming, generator=generator)
            for probe in needed
            if isinstance(probe, LearnedProbe)
        },
    )


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_site_of_a_method_runs_and_keeps_what_its_plan_says(path: Path) -> None:
    for reduction in schedule(path).reductions[:3]:
        groups = reduction.groups
        lone = group_counts(groups, reduction.incoming, MODEL.visual_tokens, MODEL.grid)
        counts = [other if group.count is None else group.count for group, other in zip(groups, lone, strict=True)]
        seen = sample(groups, reduction.incoming)
        made = reduce_tokens(groups, reduction.bookkeeping, seen, counts)
        assert torch.isfinite(made.hidden).all()
        if None not in counts:
            assert made.hidden.shape[1] == reduction.retained
        for image in range(2):
            own = [row for row in made.anchors[image].tolist() if row >= 0]
            assert len(own) == len(set(own))
        torch.testing.assert_close(made.weights @ seen.hidden, made.hidden, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_site_of_a_method_has_a_cost(path: Path) -> None:
    for reduction in schedule(path).reductions[:3]:
        context = CostContext(
            tokens=reduction.incoming,
            kept=reduction.retained,
            rows=reduction.incoming + 64,
            text_rows=64,
            width=4096,
            heads=32,
            kv_heads=32,
            head_width=128,
        )
        assert macs(reduction.groups, context) >= 0
