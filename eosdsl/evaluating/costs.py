"""What one prompt costs on every side, counted: prefill FLOPs and bytes of KV cache, whole and of the full model's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eosdsl.cost.account import full_cost
from eosdsl.cost.plan import Plan
from eosdsl.evaluating.sides import Side
from eosdsl.models.facts import ModelFacts


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one prompt. `at_most`: the image decides, and this is the most it can be."""

    flops: int
    flops_ratio: float
    kv_bytes: int
    kv_ratio: float
    at_most: bool = False


def cost_of(side: Side, plans: Mapping[str, Plan], facts: ModelFacts, text_tokens: int, images: int) -> Cost:
    """The cost of a side for a prompt with so many text tokens and images."""
    whole = full_cost(facts, text_tokens, images)
    flops, kv_bytes = 2 * whole.macs.total, whole.kv_cache_bytes
    plan = plans.get(side.name)
    if plan is not None:
        return Cost(plan.flops, plan.ratio, plan.kv_cache_bytes, plan.kv_cache_ratio, plan.adaptive)
    own = whole
    if side.kind == "blind":
        own = full_cost(facts, text_tokens, 0)
    elif side.kind == "downsample" and side.grid is not None:
        own = full_cost(_smaller(facts, side.grid), text_tokens, images)
    return Cost(
        2 * own.macs.total, 2 * own.macs.total / flops, own.kv_cache_bytes, own.kv_cache_bytes / max(kv_bytes, 1)
    )


def _smaller(facts: ModelFacts, grid: tuple[int, int]) -> ModelFacts:
    """The model on an image of `grid` patches."""
    tokens = grid[0] * grid[1]
    encoder = None if facts.encoder is None else facts.encoder.model_copy(update={"patches": tokens})
    return facts.model_copy(update={"grid": grid, "visual_tokens": tokens, "encoder": encoder})
